"""Runs `bin/inpaint` up to a gate, where it makes a file and waits to be killed.

  python gated_worker.py GATE FILE MACHINE [FLAGS ...]

GATE is "save", after the first checkpoint, or "run", before a run begins. MACHINE is
what the worker says of where it is; "" for the truth.
"""

import pathlib
import sys
import time

from dipvid_jax.cli import inpaint
from dipvid_jax.clip_lists import claims, worker
from dipvid_jax.storage.checkpoints import Checkpoints


def _behind(original, reached):
  def gate(*args, **kwargs):
    result = original(*args, **kwargs) if original else None
    reached.touch()
    while True:
      time.sleep(0.01)
    return result

  return gate


def main(gate, reached, machine, *flags):
  """Sets the gate and runs the command."""
  reached = pathlib.Path(reached)
  if gate == "save":
    Checkpoints.save = _behind(Checkpoints.save, reached)
  else:
    worker.Worker.__init__.__kwdefaults__["run_clip"] = _behind(None, reached)
  if machine:
    claims.machine_id = lambda: machine
  return inpaint.main(list(flags))


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
