"""`bin/benchmark`: the speed of this program on this machine, beside PyTorch's."""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.ways import JAX_VARIANTS, LOSSES, TORCH_VARIANTS
from dipvid_jax.cli.command import Parser
from dipvid_jax.jax_setup import set_xla_flags

SUITES = ("updates", "flow", "stages", "scaling", "throughput")
_SUITES_HELP = """\
suites:
  updates     updates per second of this program and of PyTorch, measured in turn
  flow        pairs of frames per second, DIS and PWC-Net
  stages      the time of a whole run, stage by stage
  scaling     time and memory against size, batch and length
  throughput  several batches or networks at a time

Exit code: 0 done, 1 every row failed (with --dry-run: any row), 2 a wrong flag.
"""


def make_parser() -> argparse.ArgumentParser:
  """Defines the command's flags."""
  parser = Parser(
    "benchmark",
    description="Measures the speed of this program, and of PyTorch beside it.",
    epilog=_SUITES_HELP,
  )
  parser.add_argument(
    "--device",
    choices=["cpu", "gpu"],
    default="cpu",
    help="what to measure on (default: %(default)s)",
  )
  parser.add_argument(
    "--suite",
    nargs="+",
    choices=SUITES,
    default=list(SUITES),
    metavar="SUITE",
    help="only these suites (default: all)",
  )
  parser.add_argument(
    "--losses",
    nargs="+",
    choices=LOSSES,
    default=list(LOSSES),
    help="only these, of the suite updates (default: both)",
  )
  parser.add_argument(
    "--variant",
    nargs="+",
    choices=[*JAX_VARIANTS["gpu"], *TORCH_VARIANTS],
    dest="variants",
    metavar="NAME",
    help="only these rows of the suite updates: %(choices)s (default: all of the"
    " device); each compiles for half a minute or more on a GPU",
  )
  parser.add_argument(
    "--quick",
    action="store_true",
    help="only the suite updates, with shorter calls: under ten minutes on two cores",
  )
  parser.add_argument(
    "--dry-run",
    action="store_true",
    help="run the code of every row once, at a tiny size and on the CPU whatever the"
    " --device, and measure nothing; before the first minute on a GPU",
  )
  parser.add_argument(
    "--repeats",
    type=int,
    metavar="N",
    help="timed calls of each row (default: 3 on a CPU, 5 on a GPU)",
  )
  parser.add_argument(
    "--json", type=Path, metavar="FILE", help="also write the rows to this file"
  )
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  parser = make_parser()
  arguments = parser.parse_args(argv)
  if arguments.json and not arguments.json.parent.is_dir():
    parser.error(f"--json {arguments.json}: no such folder {arguments.json.parent}")
  known = {*JAX_VARIANTS[arguments.device], *TORCH_VARIANTS}
  if lacking := set(arguments.variants or ()) - known:
    parser.error(
      f"--variant {' '.join(sorted(lacking))}: not measured with --device"
      f" {arguments.device}"
    )
  on_cpu = arguments.device == "cpu" or arguments.dry_run
  os.environ["JAX_PLATFORMS"] = "cpu" if on_cpu else "cuda,cpu"
  # Several processes share the device, so none may preallocate its memory.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  set_xla_flags()
  from benchmarks.suites import run_suites  # starts JAX, which reads the variables

  rows = run_suites(
    device=arguments.device,
    suites=["updates"] if arguments.quick else arguments.suite,
    quick=arguments.quick,
    repeats=arguments.repeats,
    losses=arguments.losses,
    variants=arguments.variants,
    dry=arguments.dry_run,
  )
  if arguments.json:
    from benchmarks.report import write_json

    write_json(arguments.json, rows)
    print(f"rows: {arguments.json}")
  failed = ["error" in row for row in rows]
  return int(any(failed) if arguments.dry_run else all(failed))


if __name__ == "__main__":
  sys.exit(main())
