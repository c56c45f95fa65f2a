"""`bin/report`: rebuilds a run's `report.html`."""

import argparse
import sys
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import config_folder, load_config
from dipvid_jax.report.page import write_report


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = argparse.ArgumentParser(
    prog="report",
    description="Rebuilds report.html from a run's output folder: after an "
    "interruption, or in the layout of another version. What the folder lacks is left "
    "out.",
    allow_abbrev=False,
  )
  parser.add_argument("folder", type=Path, metavar="DIR", help="a run's output folder")
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = make_parser().parse_args(argv)
  try:
    names = sorted(path.name for path in config_folder().glob("*.py"))
    recipes = {name: load_config(name).to_dict() for name in names}
    print(f"done: {write_report(arguments.folder, recipes=recipes)}")
  except (InputError, OSError) as error:
    print(f"report: {error}", file=sys.stderr)
    return 2
  return 0
