"""`bin/compose-set`: makes videos whose hole has a known content."""

import argparse

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.cli.sizes import parse_size
from dipvid_jax.composed import build_composed

_EXAMPLES = """\
examples:
  bin/compose-set --backgrounds clips --masks DAVIS --output composed
      the paper's: of each clip 60 frames, under 5 of DAVIS's masks
  bin/compose-set --backgrounds clips --masks masks --output composed --vary
      more from few masks: mirrored, scaled and moved
  bin/inpaint --config fast.py --tfds composed --video-id ID --output out

Backgrounds are a folder of video files and of folders of images, masks likewise;
DAVIS's folder (the one with JPEGImages and Annotations) and data sets of TensorFlow
Datasets serve as either. A mask is stretched to its background's frame; one that ends
too early runs back and forth. Each video is stored as frames (grey in the hole), hole,
truth and recipe. Needs the extra: pip install 'dipvid_jax[data]'. Exit code: 0 done,
2 bad input, 130 Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "compose-set",
    description="Composes background videos with masks into a set of videos whose "
    "hole has a known content.",
    epilog=_EXAMPLES,
  )
  add = parser.add_argument
  add("--backgrounds", required=True, metavar="DIR")
  add("--masks", required=True, metavar="DIR")
  add("--output", required=True, metavar="DIR", help="a folder for the set")
  add(
    "--segment-length",
    type=int,
    default=60,
    metavar="N",
    help="frames of a video (default: 60)",
  )
  add(
    "--masks-per-segment",
    type=int,
    default=5,
    metavar="N",
    help="videos made of each background (default: 5)",
  )
  add("--seed", type=int, default=0, help="same seed, same set")
  add(
    "--size",
    type=parse_size,
    metavar="HxW",
    help="cut and resize the videos (default: the backgrounds' own size)",
  )
  add(
    "--vary",
    action="store_true",
    help="mirror, scale and move the masks, and reuse them where needed",
  )
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = vars(make_parser().parse_args(argv))

  def work() -> None:
    print(f"done: {build_composed(arguments.pop('output'), **arguments)}")

  return run_command("compose-set", work, resume="nothing was kept")


command = as_process(main)
