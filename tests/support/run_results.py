"""Compares the results of two runs, to the last bit."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


def frames_of(output: Path) -> dict[str, bytes]:
  """The bytes of all frames, by name."""
  return {
    str(path.relative_to(output)): path.read_bytes()
    for folder in ("frames", "full")
    for path in (output / folder).iterdir()
  }


def states_of(output: Path) -> list[list[np.ndarray]]:
  """The arrays of the latest state of each window, in order."""
  checkpoints = output / "checkpoints"
  found = []
  for folder in sorted(checkpoints.glob("window_???")) or [checkpoints]:
    step = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    handler = ocp.StandardCheckpointHandler()
    manager = ocp.CheckpointManager(folder, item_handlers=handler)
    found.append(jax.tree.leaves(manager.restore(step)))
    manager.close()
  return found


def metrics_of(output: Path) -> list[dict[str, Any]]:
  """The rows of the metrics without their times."""
  lines = (output / "metrics.jsonl").read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  return [{**row, "updates_per_second": None, "seconds": None} for row in rows]


def assert_equal_runs(output: Path, other: Path) -> None:
  """Checks frames, states and losses."""
  assert frames_of(output) == frames_of(other)
  assert metrics_of(output) == metrics_of(other)
  for leaves, others in zip(states_of(output), states_of(other), strict=True):
    for a, b in zip(leaves, others, strict=True):
      np.testing.assert_array_equal(a, b)
