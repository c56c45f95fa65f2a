"""`bin/benchmark`: how fast this program is here, against PyTorch."""

import argparse
import os
import sys
from pathlib import Path

from dipvid_jax.jax_setup import set_xla_flags

SUITES = ("updates", "flow", "stages", "scaling", "throughput")


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = argparse.ArgumentParser(
    prog="benchmark",
    description="Updates per second of this program and of PyTorch, in turn; flow "
    "pairs per second; the time of a run by stage; growth with size and length.",
    allow_abbrev=False,
  )
  parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
  parser.add_argument("--suite", nargs="+", choices=SUITES, default=list(SUITES))
  parser.add_argument(
    "--quick",
    action="store_true",
    help="the updates alone, shorter calls: under ten minutes on two cores",
  )
  parser.add_argument("--repeats", type=int, help="timed calls of each row")
  parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  parser = make_parser()
  arguments = parser.parse_args(argv)
  if arguments.json and not arguments.json.parent.is_dir():
    parser.error(f"--json {arguments.json}: there is no such folder")
  os.environ["JAX_PLATFORMS"] = "cpu" if arguments.device == "cpu" else "cuda"
  # Several processes share the device: none may take all of its memory.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  set_xla_flags()
  from benchmarks.suites import run_suites  # starts JAX, which reads the above

  rows = run_suites(
    device=arguments.device,
    suites=["updates"] if arguments.quick else arguments.suite,
    quick=arguments.quick,
    repeats=arguments.repeats,
  )
  if arguments.json:
    from benchmarks.report import write_json

    write_json(arguments.json, rows)
    print(f"rows: {arguments.json}")
  return 0 if any("error" not in row for row in rows) else 1


if __name__ == "__main__":
  sys.exit(main())
