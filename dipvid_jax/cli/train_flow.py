"""`bin/train-flow`: trains PWC-Net on pairs that it draws itself."""

import argparse
import math
from pathlib import Path

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.errors import InputError
from dipvid_jax.flow_weights.known_pair import read_known_pair
from dipvid_jax.flow_weights.trainer import (
  DTYPES,
  FlowSettings,
  FlowTrainer,
  check_export,
)
from dipvid_jax.jax_setup import check_device, set_up_command
from flow.pwcnet.network import VARIANTS
from flow.training import DECAYS

_EXAMPLES = """\
examples:
  bin/train-flow --output weights --dtype bfloat16 --max-seconds 1700 \\
      --export weights/pwc_net.npz
      a stretch of half an hour on one GPU; weights/resume.tar is what to keep
  bin/train-flow --output weights2 --dtype bfloat16 --max-seconds 1700 \\
      --resume-from weights/resume.tar --export weights2/pwc_net.npz
      the next stretch, elsewhere
  bin/train-flow --output small --variant small --height 64 --width 128 \\
      --batch-size 4 --strides 1 --updates 5000 --robust-from 4000
      a look on a CPU

in the output folder: metrics.jsonl (losses, and end-point errors in pixels of DIS and
of the weights, on pairs of other seeds and on textures that are never trained on),
settings.json, checkpoints/, resume.tar. Exit code: 0 done, or stopped by
--max-seconds, 1 the training diverged, 2 bad input or a full disk, 130 Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "train-flow",
    description="Trains PWC-Net's weights on pairs of frames that it draws itself.",
    epilog=_EXAMPLES,
  )
  parser.add_argument("--output", type=Path, required=True, metavar="DIR")
  _add_settings(parser)
  _add_run(parser)
  return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
  """What decides the weights; see `FlowSettings`."""
  add, default = parser.add_argument, FlowSettings()
  add("--variant", choices=list(VARIANTS), default=default.variant)
  add("--height", type=int, default=default.height, help="of the pairs, pixels")
  add("--width", type=int, default=default.width)
  add("--batch-size", type=int, default=default.batch_size)
  add(
    "--strides",
    type=float,
    nargs="+",
    default=default.strides,
    help="how many frames lie between the two of a pair: the speed (default: 1 3 5)",
  )
  add("--updates", type=int, default=default.updates)
  add("--learning-rate", type=float, default=default.learning_rate)
  add("--warm-up", type=int, default=default.warm_up, metavar="UPDATES")
  add("--decay", choices=DECAYS, default=default.decay)
  add(
    "--robust-from",
    type=int,
    default=default.robust_from,
    metavar="UPDATE",
    help="the robust loss takes over here",
  )
  add("--dtype", choices=DTYPES, default=default.dtype, help="of the convolutions")
  add("--seed", type=int, default=default.seed)


def _add_run(parser: argparse.ArgumentParser) -> None:
  """What decides how far this run gets and what it measures."""
  add = parser.add_argument
  add("--resume", action="store_true", help="continue the run in the output folder")
  add("--resume-from", type=Path, metavar="TAR", help="continue from a resume.tar")
  add(
    "--max-seconds",
    type=float,
    default=math.inf,
    metavar="S",
    help="stop and save after this time; the same flags with --resume continue",
  )
  add(
    "--updates-per-call",
    type=int,
    default=50,
    metavar="N",
    help="updates on the device before the losses are read",
  )
  add("--evaluate-every", type=int, default=2000, metavar="UPDATES")
  add("--evaluation-pairs", type=int, default=64, metavar="N", help="of each family")
  add(
    "--sintel-pair",
    nargs=3,
    type=Path,
    metavar=("PNG", "PNG", "FLO"),
    help="two frames and a reference flow, also evaluated",
  )
  add("--export", type=Path, metavar="NPZ", help="write the weights there, float16")


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = make_parser().parse_args(argv)
  set_up_command(draws_pairs=True)
  return run_command(
    "train-flow",
    lambda: train(arguments),
    kept="the checkpoint is kept",
    resume="the same flags with --resume continue",
  )


def train(arguments: argparse.Namespace) -> None:
  """Trains as the flags say.

  Args:
    arguments: from `make_parser`.

  Raises:
    InputError: a flag, file or folder that does not fit.
    DivergedError: a loss is not finite.
  """
  check_device()
  for flag in ("evaluate_every", "evaluation_pairs", "updates_per_call"):
    if getattr(arguments, flag) < 1:
      raise InputError(
        f"--{flag.replace('_', '-')}: must be 1 or more, got {getattr(arguments, flag)}"
      )
  if arguments.export:
    check_export(arguments.export)
  names = FlowSettings.__dataclass_fields__
  values = {name: getattr(arguments, name) for name in names}
  trainer = FlowTrainer(
    FlowSettings(**values | {"strides": tuple(arguments.strides)}),
    arguments.output,
    resume=arguments.resume,
    resume_from=arguments.resume_from,
    evaluation_count=arguments.evaluation_pairs,
    known_pair=arguments.sintel_pair and read_known_pair(*arguments.sintel_pair),
  )
  complete = trainer.run(
    updates_per_call=arguments.updates_per_call,
    evaluate_every=arguments.evaluate_every,
    max_seconds=arguments.max_seconds,
  )
  if arguments.export:
    trainer.export(arguments.export)
    print(f"weights: {arguments.export}")
  print("done" if complete else f"stopped at update {trainer.update}")
  trainer.close()


command = as_process(main)
