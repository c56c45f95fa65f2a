"""`bin/report`: writes a run's `report.html` again."""

import argparse
from pathlib import Path

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.errors import InputError
from dipvid_jax.method.recipes import shipped_recipes
from dipvid_jax.report.page import is_report, write_report
from dipvid_jax.runs.config_file import CONFIG_NAME, is_of_a_run
from dipvid_jax.storage import disk


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
    page = folder / "report.html"
    if not is_of_a_run(folder / CONFIG_NAME):
      raise InputError(
        f"{folder}: holds no run; give the output folder of a run, with a readable"
        f" {CONFIG_NAME}"
      )
    if page.exists() and not is_report(page):
      raise InputError(f"{page}: is not the report of a run; move it away")
    try:
      print(f"done: {write_report(folder, recipes=shipped_recipes())}")
    except OSError as error:
      raise InputError(f"{folder}: {disk.reason(error)}") from error

  return run_command("report", work)


command = as_process(main)
