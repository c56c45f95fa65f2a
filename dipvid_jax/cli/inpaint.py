"""`bin/inpaint`: removes what a mask marks from a video."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dipvid_jax.cli import inpaint_many
from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.cli.sizes import parse_size_or_input
from dipvid_jax.errors import InputError
from dipvid_jax.jax_setup import check_device, set_up_command
from dipvid_jax.method.config import CONFIG_KEYS
from dipvid_jax.method.key_table import keys_text
from dipvid_jax.method.overrides import read_config
from dipvid_jax.report.residue_note import residue_note
from dipvid_jax.runs.run import run
from dipvid_jax.runs.threads import describe_restored, restore_threads
from dipvid_jax.storage.rows import read_rows
from dipvid_jax.terminal import say

_EXAMPLES = """\
examples:
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out
      recommended: carries into the hole what other frames show of it
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.png --output out \\
      --config.max_updates=200
      a quick look: fewer updates, a blur where nothing could be carried
  bin/inpaint --config flow.py --video clip.mp4 --mask mask.mp4 --output out
      the method of the paper; 102,000 updates, for a GPU
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out --resume
      continues after an interruption
  bin/inpaint --config fast.py --video long.mp4 --mask mask.mp4 --output out \\
      --window 80 --overlap 10
      a long clip in windows, for less memory
  bin/inpaint --config fast.py --tfds composed --video-id clip-mask-0 --output out
      a video of a set made by bin/compose-set; its truth is not read
  bin/inpaint --config fast.py --manifest clips.csv
      many clips, one on each line, one after the other
  bin/inpaint --config fast.py --manifest clips.csv --ray auto
      the same on all machines of a Ray cluster (--ray local: on all GPUs of this one)

results in the output folder:
  inpainted.mp4, frames/   the input with the hole filled
  full.mp4                 the network's own frames everywhere
  report.html              videos, curves, time slice, settings: open it in a browser
  preview.png              input, flows, generated frames and result at a glance
  metrics.jsonl            losses and updates per second, one line per batch
  rounds.jsonl             PSNR on held-out known pixels, one line per round
  config.json, checkpoints/, flow/

exit code: 0 done, 1 the training diverged or a result could not be made, 2 bad input
or a full disk, 130 Ctrl-C

keys of a config, set by --config.KEY=VALUE:
"""


class _Flag(NamedTuple):
  """A flag that is short for a config key.

  Attributes:
    name: on the command line.
    key: in the config, which has its meaning.
    metavar: its value in the help; empty for a switch.
    parse: text to value.
  """

  name: str
  key: str
  metavar: str = ""
  parse: Callable[[str], object] = str


_FLAGS = (
  _Flag("--video", "video", "V"),
  _Flag("--mask", "mask", "M"),
  _Flag("--tfds", "tfds", "SET"),
  _Flag("--video-id", "video_id", "ID"),
  _Flag("--output", "output", "DIR"),
  _Flag("--seed", "seed", "N", int),
  _Flag("--size", "size", "HxW", parse_size_or_input),
  _Flag("--window", "window", "K", int),
  _Flag("--overlap", "overlap", "J", int),
  _Flag("--dilate", "dilate", "PX", int),
  _Flag("--invert-mask", "invert_mask"),
  _Flag("--mask-threshold", "mask_threshold", "N", int),
  _Flag("--object", "mask_object", "K", int),
  _Flag("--preview-every", "preview_every", "R", int),
)


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "inpaint",
    description="Removes what a mask marks from a video: trains a network on that one "
    "video and fills the hole with what it learnt.",
    epilog=_EXAMPLES + keys_text(),
  )
  parser.add_argument(
    "--config",
    default="fast.py",
    metavar="FILE",
    help="a config's name in configs/, or a path (default: fast.py)",
  )
  for flag in _FLAGS:
    _add(parser, flag)
  parser.add_argument(
    "--resume", action="store_true", help="continue the run in the output folder"
  )
  parser.add_argument(
    "--overwrite",
    action="store_true",
    help="remove what a run wrote into the output folder, and nothing else, then begin",
  )
  parser.add_argument(
    "--deterministic",
    action="store_true",
    help="the same bits on a GPU as well, at some cost in speed (a CPU always gives"
    " them with the same number of threads)",
  )
  inpaint_many.add_flags(parser)
  return parser


def _add(parser: argparse.ArgumentParser, flag: _Flag) -> None:
  meaning = CONFIG_KEYS[flag.key].rule.meaning.replace("%", "%%")
  if not flag.metavar:
    parser.add_argument(
      flag.name, dest=flag.key, action="store_true", default=None, help=meaning
    )
    return
  parser.add_argument(
    flag.name, dest=flag.key, metavar=flag.metavar, type=flag.parse, help=meaning
  )


def main(argv: list[str] | None = None) -> int:
  """Runs the command.

  Args:
    argv: the arguments; those of the process where None.

  Returns:
    The exit code.
  """
  arguments, rest = make_parser().parse_known_args(argv)
  set_up_command(deterministic=arguments.deterministic)
  values = {flag.key: getattr(arguments, flag.key) for flag in _FLAGS}
  given = {key: value for key, value in values.items() if value is not None}
  if arguments.manifest or arguments.ray or arguments.line is not None:
    return inpaint_many.main(arguments, given=given, overrides=rest)

  def work() -> None:
    if arguments.resume and arguments.overwrite:
      raise InputError("--resume and --overwrite exclude each other")
    config = read_config(arguments.config, rest, values=given)
    resumed = config.output.folder if arguments.resume else ""
    restored = restore_threads(Path(resumed)) if resumed else None
    check_device()
    if line := describe_restored(restored):
      say(line)
    folder = run(
      config,
      overwrite=arguments.overwrite,
      resume=arguments.resume,
      recipe=arguments.config,
    )
    rounds = read_rows(folder / "rounds.jsonl")
    if note := residue_note(rounds, dilation=config.source.dilate):
      print(f"hint: {note}")
    print(f"done: {folder / 'inpainted.mp4'} (what was done: {folder / 'report.html'})")

  return run_command(
    "inpaint",
    work,
    kept="what is done is kept",
    resume="the same command with --resume continues",
  )


command = as_process(main)

if __name__ == "__main__":  # the page runs it so
  command()
