"""`bin/ablation`: the paper's studies on a composed set."""

import argparse
import sys
from pathlib import Path

from dipvid_jax.cli.inpaint import read_config
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.jax_setup import set_up_jax
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import write_image
from studies.complexity import study_complexity
from studies.features import study_features
from studies.method_runs import METHODS, run_method
from studies.table import run_table, table_markdown
from studies.time_slice import compare_slices
from studies.training import study_training
from studies.windows import LENGTHS, study_windows

STUDIES = ("table", "complexity", "slice", "windows", "training", "features")
_EXAMPLES = """\
studies:
  table       the methods over the set, the paper's Table 1 beside our figures
  complexity  from the table: means over the videos above a complexity (figure 7)
  slice       from the table: a fixed row of pixels over time (figure 5)
  windows     the length of the window that is trained on (figure 10)
  training    frames and flow after each round (figure 8)
  features    the encoder's features against VGG16's (figure 9)

examples:
  bin/compose-set --backgrounds clips --masks masks --output composed --size 192x384
  bin/ablation table complexity slice --set composed --output study
      the methods' own schedules: days on a CPU
  bin/ablation table --set composed --output study --max-updates 500 \\
      --config.levels=5 --config.inner_steps=5
      500 updates of every network, for a small set

What is done is kept: the same command goes on. --config.KEY=VALUE sets a key of all
methods. Exit code: 0 done, 1 the training diverged, 2 bad input, 130 Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = argparse.ArgumentParser(
    prog="ablation",
    description="Runs the paper's studies on a composed set.",
    epilog=_EXAMPLES,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument("studies", nargs="+", choices=STUDIES, metavar="STUDY")
  parser.add_argument("--set", required=True, dest="set_folder", metavar="DIR",
    help="a composed set, see bin/compose-set")  # fmt: skip
  parser.add_argument("--output", required=True, type=Path, metavar="DIR",
    help="a folder for runs, figures and pictures")  # fmt: skip
  parser.add_argument("--videos", nargs="+", metavar="ID",
    help="only these videos (default: all; the studies of one video take the first)")  # fmt: skip
  parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
  parser.add_argument("--max-updates", type=int, metavar="N",
    help="updates of every network (default: the methods' own)")  # fmt: skip
  parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS),
    metavar="K", help="frames of the windows")  # fmt: skip
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments, rest = make_parser().parse_known_args(argv)
  set_up_jax()
  try:
    settings = _settings(rest)
    if arguments.max_updates is not None:
      settings["max_updates"] = arguments.max_updates
    videos = arguments.videos or sorted(VideoSet(arguments.set_folder).places)
    for study in arguments.studies:
      _run_study(study, arguments, videos, settings)
  except InputError as error:
    print(f"ablation: {error}", file=sys.stderr)
    return 2
  except DivergedError as error:
    print(f"ablation: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print("ablation: interrupted; the same command goes on", file=sys.stderr)
    return 130
  return 0


def _settings(overrides):
  """The keys that the command line sets, checked against the methods' config."""
  before, after = read_config("flow", []), read_config("flow", overrides)
  return {key: after[key] for key in after if after[key] != before[key]}


def _run_study(study, arguments, videos, settings):
  folder, output = arguments.set_folder, arguments.output
  shared = {"output": output, "settings": settings}
  if study == "table":
    rows = run_table(folder, videos=videos, methods=arguments.methods, **shared)
    table = table_markdown(rows)
    (output / "table.md").write_text(table)
    print(table)
  elif study == "complexity":
    study_complexity(output)
  elif study == "slice":
    runs = [run_method(folder, videos[0], m, **shared) for m in arguments.methods]
    write_image(output / "slice.png", compare_slices(runs))
  elif study == "windows":
    study_windows(folder, videos, lengths=arguments.lengths, **shared)
  elif study == "training":
    study_training(folder, videos[0], **shared)
  else:
    study_features(folder, videos[0], **shared)
