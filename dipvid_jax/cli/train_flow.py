"""`bin/train-flow`: trains PWC-Net on pairs that it draws itself."""

import argparse
import math
import sys
from pathlib import Path

from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.flow_weights.known_pair import read_known_pair
from dipvid_jax.flow_weights.trainer import DTYPES, FlowSettings, FlowTrainer
from dipvid_jax.jax_setup import set_up_jax
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
--max-seconds, 1 the training diverged or the disk is full, 2 bad input, 130 Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = argparse.ArgumentParser(
    prog="train-flow",
    description="Trains PWC-Net's weights on pairs of frames that a program draws.",
    epilog=_EXAMPLES,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  default = FlowSettings()
  add = parser.add_argument
  add("--output", type=Path, required=True, metavar="DIR")
  add("--variant", choices=list(VARIANTS), default=default.variant)
  add("--height", type=int, default=default.height, help="of the pairs, pixels")
  add("--width", type=int, default=default.width)
  add("--batch-size", type=int, default=default.batch_size)
  add("--strides", type=float, nargs="+", default=default.strides,
    help="how many frames lie between the two of a pair: the speed (default: 1 3 5)")  # fmt: skip
  add("--updates", type=int, default=default.updates)
  add("--learning-rate", type=float, default=default.learning_rate)
  add("--warm-up", type=int, default=default.warm_up, metavar="UPDATES")
  add("--decay", choices=DECAYS, default=default.decay)
  add("--robust-from", type=int, default=default.robust_from, metavar="UPDATE",
    help="the robust loss takes over here")  # fmt: skip
  add("--dtype", choices=DTYPES, default=default.dtype, help="of the convolutions")
  add("--seed", type=int, default=default.seed)
  add("--resume", action="store_true", help="go on with the run in the output folder")
  add("--resume-from", type=Path, metavar="TAR", help="go on with a resume.tar")
  add("--max-seconds", type=float, default=math.inf, metavar="S",
    help="stop and save after so long; the same flags with --resume go on")  # fmt: skip
  add("--updates-per-call", type=int, default=50, metavar="N",
    help="on the device in a row, before the losses are read")  # fmt: skip
  add("--evaluate-every", type=int, default=2000, metavar="UPDATES")
  add("--evaluation-pairs", type=int, default=64, metavar="N", help="of each family")
  add("--sintel-pair", nargs=3, type=Path, metavar=("PNG", "PNG", "FLO"),
    help="two frames and a reference flow, evaluated too")  # fmt: skip
  add("--export", type=Path, metavar="NPZ", help="write the weights there, float16")
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = make_parser().parse_args(argv)
  set_up_jax()
  try:
    return train(arguments)
  except InputError as error:
    print(f"train-flow: {error}", file=sys.stderr)
    return 2
  except DivergedError as error:
    print(f"train-flow: {error}; the checkpoint is kept", file=sys.stderr)
    return 1
  except OSError as error:  # a full disk, most of all
    reason = error.strerror or error
    print(
      f"train-flow: {error.filename or arguments.output}: cannot be written ({reason}); "
      "the checkpoint is kept, --resume goes on",
      file=sys.stderr,
    )
    return 1
  except KeyboardInterrupt:
    print("train-flow: interrupted; --resume goes on", file=sys.stderr)
    return 130


def train(arguments: argparse.Namespace) -> int:
  """Trains as the flags say.

  Args:
    arguments: from `make_parser`.

  Returns:
    The exit code.

  Raises:
    InputError: a flag, file or folder that does not fit.
    DivergedError: a loss is not finite.
  """
  for flag in ("evaluate_every", "evaluation_pairs", "updates_per_call"):
    if getattr(arguments, flag) < 1:
      raise InputError(
        f"--{flag.replace('_', '-')}: must be 1 or more, got {getattr(arguments, flag)}"
      )
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
  return 0


if __name__ == "__main__":
  sys.exit(main())
