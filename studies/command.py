"""`bin/ablation`: the paper's studies on a composed set."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import load_inception
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import write_image
from dipvid_jax.method.keys import Value
from dipvid_jax.method.overrides import read_config
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.config_file import is_of_a_run
from dipvid_jax.storage import disk
from studies.comparison import compare, comparison_markdown, read_systems
from studies.complexity import study_complexity
from studies.features import study_features
from studies.measured import Figures
from studies.method_runs import METHODS, RUNNABLE, method_settings, run_method
from studies.table import run_table, table_markdown
from studies.time_slice import compare_slices
from studies.training import study_training
from studies.windows import DRAWN, LENGTHS, draw_videos, study_windows

_MARKER = ".study"  # in the folder of a study
STUDIES = (
  *("table", "compare", "complexity", "slice", "windows", "training", "features"),
)
_EXAMPLES = """\
studies:
  table       the methods over the set, the paper's Table 1 beside our figures
  compare     other systems' frames beside ours, by complexity (Table 2)
  complexity  from the table: means over the videos above a complexity (figure 7)
  slice       from the table: a fixed row of pixels over time (figure 5)
  windows     quality against the length of the window (figure 10)
  training    frames and flow before and after each round (figure 8)
  features    the encoder's features against VGG16's (figure 9)

examples:
  bin/compose-set --backgrounds clips --masks masks --output composed --size 192x384
  bin/ablation table complexity slice --set composed --output study
      the methods' own schedules: days on a CPU
  bin/ablation table --set composed --output study --max-updates 500 \\
      --config.levels=5 --config.inner_steps=5
      500 updates of every network, for a small set
  bin/ablation table --set composed --output timed --config.levels=4 \\
      --updates dip=655 vid=2060 vid3d=940 flow=600
      methods at equal time, for a set whose updates were timed
  bin/ablation compare --set composed --output study --methods fast \\
      --results ProPainter=propainter/results E2FGVI=e2fgvi/results
      frames of other systems on the videos of the set

The same command continues an interrupted study. --config.KEY=VALUE sets a key of all
methods. Exit code: 0 done, 1 the training diverged, 2 bad input or a full disk, 130
Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """Defines the command's flags."""
  parser = Parser(
    "ablation",
    description="Runs the paper's studies on a composed set.",
    epilog=_EXAMPLES,
  )
  parser.add_argument("studies", nargs="+", choices=STUDIES, metavar="STUDY")
  parser.add_argument(
    "--set",
    required=True,
    dest="set_folder",
    metavar="DIR",
    help="a composed set, see bin/compose-set",
  )
  parser.add_argument(
    "--output",
    required=True,
    type=Path,
    metavar="DIR",
    help="folder for runs, figures and pictures",
  )
  parser.add_argument(
    "--videos",
    nargs="+",
    metavar="ID",
    help="only these videos (default: all; studies of a single video use the first)",
  )
  parser.add_argument(
    "--methods",
    nargs="+",
    metavar="METHOD",
    choices=RUNNABLE,
    help="only these methods (default: the paper's four; compare: flow)",
  )
  parser.add_argument(
    "--max-updates",
    type=int,
    metavar="N",
    help="updates of every network (default: each method's own)",
  )
  parser.add_argument(
    "--updates",
    nargs="+",
    type=parse_updates,
    default=[],
    metavar="METHOD=N",
    help="updates of a method's every network, in table and slice: with the numbers"
    " that take the same time, methods are compared at equal time",
  )
  parser.add_argument(
    "--lengths",
    nargs="+",
    type=int,
    default=list(LENGTHS),
    metavar="K",
    help="window lengths in frames, for the study windows",
  )
  parser.add_argument(
    "--draw-seed",
    type=int,
    default=0,
    metavar="N",
    help=f"of the {DRAWN} videos that windows draws without --videos (default: 0)",
  )
  parser.add_argument(
    "--results",
    nargs="+",
    default=[],
    metavar="NAME=DIR",
    help="other systems' results on the set, for the study compare",
  )
  parser.add_argument(
    "--inception",
    type=Path,
    metavar="FILE",
    help="InceptionV3's weights, for FID in table and compare",
  )
  return parser


def parse_updates(text: str) -> tuple[str, int]:
  """Reads METHOD=N.

  Raises:
    ArgumentTypeError: it is something else.
  """
  method, _, number = text.partition("=")
  if method not in RUNNABLE or not number.isdecimal() or not int(number):
    raise argparse.ArgumentTypeError(
      f"{text!r} is not METHOD=N with one of {', '.join(RUNNABLE)} and a number from 1"
    )
  return method, int(number)


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments, rest = make_parser().parse_known_args(argv)
  set_up_command()

  def work() -> None:
    settings = read_settings(rest)
    claim_folder(arguments.output)
    if arguments.max_updates is not None:
      settings["max_updates"] = arguments.max_updates
    study = _Study(arguments, settings)
    for name in arguments.studies:
      getattr(study, name)()

  return run_command("ablation", work, resume="the same command continues")


def claim_folder(output: Path) -> None:
  """Makes a study's folder, or checks that it is one: nothing else is written over.

  Args:
    output: a new or empty folder, or that of a study.

  Raises:
    InputError: it is another folder or a file, or cannot be made.
  """
  try:
    output.mkdir(parents=True, exist_ok=True)
    held = [path for path in output.iterdir() if path.name != _MARKER]
    older = any(map(is_of_a_run, output.glob("runs/*/*/config.json")))
    if held and not older and not (output / _MARKER).exists():
      raise InputError(
        f"--output {output}: holds files that no study wrote; name a new folder"
      )
    (output / _MARKER).touch()
  except OSError as error:
    raise InputError(f"--output {output}: {disk.reason(error)}") from error


def read_settings(overrides: Sequence[str]) -> dict[str, Value]:
  """Config keys that the command line changes, checked against `flow.py`.

  Args:
    overrides: `--config.KEY=VALUE`.

  Returns:
    Values by key.

  Raises:
    InputError: an unknown flag or key, or an invalid value.
  """
  before, after = load_config("flow").values(), read_config("flow", overrides).values()
  return {key: value for key, value in after.items() if value != before[key]}


class _Study:
  """A study's folder and settings; a method for each of `STUDIES`."""

  def __init__(self, arguments: argparse.Namespace, settings: Mapping[str, Value]):
    self._arguments = arguments
    self._set: str = arguments.set_folder
    self._output: Path = arguments.output
    self._settings = settings
    self._updates: dict[str, int] = dict(arguments.updates)
    self._systems = read_systems(arguments.results)
    self._all = sorted(VideoSet(self._set).places)
    self._videos: list[str] = arguments.videos or self._all
    weights = arguments.inception
    self._figures = Figures(
      self._output, inception=load_inception(weights) if weights else None
    )

  def table(self) -> None:
    rows = run_table(
      self._set,
      videos=self._videos,
      methods=self._methods(*METHODS),
      output=self._output,
      settings=self._settings,
      updates=self._updates,
      figures=self._figures,
    )
    table = table_markdown(rows)
    (self._output / "table.md").write_text(table)
    print(table)

  def compare(self) -> None:
    rows = compare(
      self._set,
      systems=self._systems,
      methods=self._methods("flow"),
      videos=self._videos,
      output=self._output,
      settings=self._settings,
      figures=self._figures,
    )
    print(comparison_markdown(rows))

  def complexity(self) -> None:
    study_complexity(self._output)

  def slice(self) -> None:
    runs = [
      run_method(
        *(self._set, self._videos[0], method),
        output=self._output,
        settings=method_settings(method, self._settings, self._updates),
      )
      for method in self._methods(*METHODS)
    ]
    write_image(self._output / "slice.png", compare_slices(runs))

  def windows(self) -> None:
    drawn = draw_videos(self._all, seed=self._arguments.draw_seed)
    study_windows(
      *(self._set, self._arguments.videos or drawn),
      lengths=self._arguments.lengths,
      output=self._output,
      settings=self._settings,
    )

  def training(self) -> None:
    study_training(
      self._set, self._videos[0], output=self._output, settings=self._settings
    )

  def features(self) -> None:
    study_features(
      self._set, self._videos[0], output=self._output, settings=self._settings
    )

  def _methods(self, *default: str) -> Sequence[str]:
    return self._arguments.methods or default
