"""`bin/evaluate`: scores results against the truth, under the field's protocols."""

import argparse
from pathlib import Path

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.cli.sizes import parse_size
from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.clip import MEASURES
from dipvid_jax.evaluation.clip_files import ClipFiles, pair_clips, pair_composed
from dipvid_jax.evaluation.evaluate import evaluate
from dipvid_jax.evaluation.tables import (
  check_writable,
  markdown,
  write_csv,
  write_json,
  write_markdown,
)
from dipvid_jax.evaluation.temporal_consistency import PatchSearch
from dipvid_jax.evaluation.truth import ComposedTruth, TrueFiles
from dipvid_jax.jax_setup import check_device, set_up_command
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.terminal import stage
from dipvid_jax.training.precision import PRECISIONS
from flow import make_estimator
from flow.estimators import ESTIMATORS

_EXAMPLES = """\
examples:
  bin/evaluate --result out --truth truth.mp4 --masks mask.png
      one clip; out is the output folder of bin/inpaint
  bin/evaluate --results e2fgvi/ --truth davis/JPEGImages/ --masks masks/ \\
      --size 240x432 --measures sttn,hole --json e2fgvi.json
      a set: what has equal names in the three folders belongs together
  bin/evaluate --results propainter/ --tfds composed
      a composed set, which holds truth and masks itself

A result is a folder of bin/inpaint, or any system's stitched frames (a folder of
images, or a video; the layouts of STTN, E2FGVI, ProPainter and DAVIS are known). The
measure paper is of a network's full frames: a run's own
full frames, or those that --full names.

measures:
  paper       PSNR, SSIM of full frames          needs scikit-image
  sttn        PSNR, SSIM as STTN, E2FGVI, ProPainter report them    the same
  hole        PSNR, SSIM of hole pixels alone    the same
  temporal    patches of the hole found again in the next frame
  warping     two neighbouring frames along the true flow
  lpips       LPIPS with VGG16 and with AlexNet
  fid         the paper's form and pooled        needs --inception
  complexity  of the truth; splits a set into simple and complex

Exit code: 0 done, 2 bad input.
"""
_WRITERS = {"json": write_json, "csv": write_csv, "markdown": write_markdown}


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "evaluate",
    description="Scores inpainted videos against the truth.",
    epilog=_EXAMPLES,
  )
  _add_inputs(parser)
  _add_measures(parser)
  _add_patches(parser)
  for kind in _WRITERS:
    parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help="write the table")
  parser.add_argument(
    "--overwrite", action="store_true", help="replace files that are there"
  )
  return parser


def _add_inputs(parser: argparse.ArgumentParser) -> None:
  results = parser.add_mutually_exclusive_group(required=True)
  results.add_argument("--result", type=Path, metavar="PATH", help="of one clip")
  results.add_argument("--results", type=Path, metavar="DIR", help="one for each clip")
  parser.add_argument(
    "--truth",
    type=Path,
    metavar="PATH",
    help="the true frames: of one clip, or a folder of several",
  )
  parser.add_argument(
    "--masks",
    type=Path,
    metavar="PATH",
    help="white in the hole: of one clip, or a folder of several",
  )
  parser.add_argument(
    "--tfds", metavar="SET", help="instead of both: a composed set, see bin/compose-set"
  )
  parser.add_argument("--video-id", metavar="ID", help="the video of --result in SET")
  parser.add_argument(
    "--full",
    type=Path,
    metavar="PATH",
    help="full frames, if the result has none: of one clip, or a folder of several",
  )
  parser.add_argument("--name", help="of the system (default: the result's name)")


def _add_measures(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    "--measures", metavar="A,B", help="default: all, but fid only with --inception"
  )
  parser.add_argument(
    "--size",
    type=parse_size,
    metavar="HxW",
    help="resize results and truth, by area (sttn: 240x432)",
  )
  parser.add_argument(
    "--threshold",
    type=float,
    metavar="C",
    help="a video is complex above it (default: the median)",
  )
  parser.add_argument(
    "--estimator",
    default="dis",
    choices=ESTIMATORS,
    help="of the true flow (default: dis)",
  )
  parser.add_argument("--weights", type=Path, metavar="FILE", help="PWC-Net's")
  parser.add_argument(
    "--inception",
    type=Path,
    metavar="FILE",
    help="InceptionV3's weights, of pytorch-fid or torchvision",
  )
  parser.add_argument(
    "--matmul-precision",
    default="highest",
    choices=PRECISIONS,
    help="of lpips and fid on a GPU: highest is float32, default is JAX's,"
    " TensorFloat-32 where the GPU has it (default: highest)",
  )


def _add_patches(parser: argparse.ArgumentParser) -> None:
  search = PatchSearch()
  flags = {
    "patch": (search.patch, "PX", "side of a patch"),
    "radius": (search.radius, "PX", "how far to search"),
    "patches": (search.patches_per_pair, "N", "for each pair of frames"),
    "seed": (search.seed, "N", "of the patches"),
  }
  for name, (default, metavar, meaning) in flags.items():
    parser.add_argument(
      f"--{name}",
      type=int,
      default=default,
      metavar=metavar,
      help=f"temporal: {meaning} (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = make_parser().parse_args(argv)
  set_up_command()
  return run_command("evaluate", lambda: run(arguments))


def run(arguments: argparse.Namespace) -> None:
  """Evaluates, prints the table and writes the files.

  Args:
    arguments: as `make_parser` gives them.

  Raises:
    InputError: bad input.
  """
  check_device()
  outputs = {kind: getattr(arguments, kind) for kind in _WRITERS}
  outputs = {kind: path for kind, path in outputs.items() if path}
  check_writable(outputs.values(), overwrite=arguments.overwrite)
  clips = find_clips(arguments)
  with stage("evaluate", len(clips)) as progress:
    evaluation = evaluate(
      clips,
      name=arguments.name or (arguments.result or arguments.results).resolve().name,
      measures=read_measures(arguments),
      size=arguments.size,
      search=PatchSearch(
        patch=arguments.patch,
        radius=arguments.radius,
        patches_per_pair=arguments.patches,
        seed=arguments.seed,
      ),
      estimator=make_estimator(arguments.estimator, weights=arguments.weights),
      inception_path=arguments.inception,
      threshold=arguments.threshold,
      matmul_precision=arguments.matmul_precision,
      on_clip=progress,
    )
  print(markdown(evaluation), end="")
  for kind, path in outputs.items():
    _WRITERS[kind](path, evaluation)


def find_clips(arguments: argparse.Namespace) -> list[ClipFiles]:
  """The clip of --result, or the clips of --results.

  Raises:
    InputError: the true frames are not named, or are named twice.
  """
  files = arguments.truth, arguments.masks
  if arguments.tfds is None and None in files:
    raise InputError("name the true frames: --truth and --masks, or --tfds")
  if arguments.tfds and any((*files, arguments.full)):
    raise InputError("--tfds holds truth and masks; leave out --truth, --masks, --full")
  if arguments.results and arguments.tfds:
    return pair_composed(arguments.results, arguments.tfds)
  if arguments.results:
    return pair_clips(arguments.results, *files, full=arguments.full)
  if arguments.tfds:
    videos = VideoSet(arguments.tfds)
    videos.check_id(arguments.video_id)
    truth = ComposedTruth(videos, arguments.video_id)
    return [ClipFiles(arguments.video_id, arguments.result, truth)]
  name = arguments.result.resolve().stem
  return [ClipFiles(name, arguments.result, TrueFiles(*files), arguments.full)]


def read_measures(arguments: argparse.Namespace) -> list[str]:
  """The names of --measures."""
  if arguments.measures is None:
    return [name for name in MEASURES if name != "fid" or arguments.inception]
  return [name.strip() for name in arguments.measures.split(",")]


command = as_process(main)
