"""`bin/compose-set`: makes videos whose hole has a known content."""

import argparse
import re
import sys

from dipvid_jax.composed import build_composed
from dipvid_jax.errors import InputError

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
too soon runs back and forth. Each video is stored as frames (grey in the hole), hole,
truth and recipe. Needs the extra: pip install 'dipvid_jax[data]'. Exit code: 0 done,
2 bad input, 130 Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = argparse.ArgumentParser(
    prog="compose-set",
    description="Composes background videos with masks into a set of videos whose "
    "hole has a known content.",
    epilog=_EXAMPLES,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument("--backgrounds", required=True, metavar="DIR")
  parser.add_argument("--masks", required=True, metavar="DIR")
  parser.add_argument("--output", required=True, metavar="DIR",
    help="a folder for the set")  # fmt: skip
  parser.add_argument("--segment-length", type=int, default=60, metavar="N",
    help="frames of a video (default: 60)")  # fmt: skip
  parser.add_argument("--masks-per-segment", type=int, default=5, metavar="N",
    help="videos made of each background (default: 5)")  # fmt: skip
  parser.add_argument("--seed", type=int, default=0, help="same seed, same set")
  parser.add_argument("--size", type=parse_size, metavar="HxW",
    help="cut and resize the videos (default: the backgrounds' own size)")  # fmt: skip
  parser.add_argument("--vary", action="store_true",
    help="mirror, scale and move the masks, and use them more than once if needed")  # fmt: skip
  return parser


def parse_size(text: str) -> tuple[int, int]:
  """Reads a size, height first, as 192x384."""
  match = re.fullmatch(r"(\d+)x(\d+)", text)
  if not match:
    raise argparse.ArgumentTypeError(f"{text} is not HEIGHTxWIDTH, such as 192x384")
  return int(match[1]), int(match[2])


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = vars(make_parser().parse_args(argv))
  try:
    folder = build_composed(arguments.pop("output"), **arguments)
  except InputError as error:
    print(f"compose-set: {error}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("compose-set: interrupted; nothing was kept", file=sys.stderr)
    return 130
  print(f"done: {folder}")
  return 0
