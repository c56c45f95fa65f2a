"""`bin/report`: writes a run's `report.html` again."""

import argparse
from pathlib import Path

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.errors import InputError
from dipvid_jax.method.recipes import shipped_recipes
from dipvid_jax.report.page import write_report


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "report",
    description="Writes report.html again from what a run left in its output folder: "
    "after an interruption, or in the layout of this version. What the folder lacks "
    "is left out.",
  )
  parser.add_argument("folder", type=Path, metavar="DIR", help="a run's output folder")
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  folder = make_parser().parse_args(argv).folder

  def work() -> None:
    try:
      print(f"done: {write_report(folder, recipes=shipped_recipes())}")
    except OSError as error:
      raise InputError(f"{folder}: cannot be written ({error.strerror})") from error

  return run_command("report", work)
