"""The flags of `bin/mask` for painted frames, and how they are written."""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from dipvid_jax.errors import InputError

_NAMED = re.compile(r"(\d{1,9})=(.+)", re.ASCII | re.DOTALL)


class PaintFlag(NamedTuple):
  """A `--paint`.

  Attributes:
    number: of the frame; None if `path` is a folder of frames named by number.
    path: what was painted.
  """

  number: int | None
  path: Path


def parse_paint(text: str) -> PaintFlag:
  """Reads `FRAME=FILE`, or a folder."""
  if match := _NAMED.fullmatch(text):
    return PaintFlag(int(match[1]), Path(match[2]))
  return PaintFlag(None, Path(text))


def parse_frame(text: str) -> int:
  """Reads the number of a frame.

  Raises:
    ArgumentTypeError: it is something else.
  """
  if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
    raise argparse.ArgumentTypeError(f"{text!r} is not the number of a frame, from 0")
  return int(text)


def add_painting_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of painted frames to the command's own."""
  add = parser.add_argument_group("painted frames").add_argument
  add(
    "--paint",
    type=parse_paint,
    action="append",
    default=[],
    metavar="FRAME=FILE",
    help="the painted truth of a frame, from which the masks of all others are"
    " proposed; may be repeated, or a folder of images named by frame",
  )
  add(
    "--continue",
    dest="further",
    action="store_true",
    help="add to what was painted in --output before, and propose the others again",
  )
  add(
    "--lock",
    type=parse_frame,
    action="append",
    default=[],
    metavar="FRAME",
    help="with --continue: keep a frame as it stands in DIR/masks, retouched or not",
  )
  add("--tracker", metavar="NAME", help="sam2, cutie, or a tracker of your own")
  add("--weights", type=Path, metavar="FILE", help="the tracker's weights")
  add("--tracker-python", metavar="PYTHON", help="a Python that has the tracker")
  add("--tracker-config", metavar="NAME", help="the tracker's configuration")


def asks_for_painting(arguments: argparse.Namespace) -> bool:
  """Whether a flag of painted frames is given; those that do not fit end here.

  Raises:
    InputError: flags that exclude each other, or that need another.
  """
  asks = bool(arguments.paint or arguments.further)
  for flag in ("weights", "tracker_python", "tracker_config"):
    if getattr(arguments, flag) is not None and not arguments.tracker:
      raise InputError(f"{_as_written(flag)} is for --tracker; give both")
  if arguments.tracker and not asks:
    raise InputError("--tracker needs --paint FRAME=FILE or --continue")
  if arguments.lock and not arguments.further:
    raise InputError("--lock needs --continue: it keeps a frame of DIR/masks")
  if arguments.overwrite and arguments.further:
    raise InputError(
      "--overwrite begins again and --continue adds to what is there; give one"
    )
  if asks:
    _check_alone(arguments)
  return asks


def _check_alone(arguments: argparse.Namespace) -> None:
  """Checks that no other way of making masks is asked for."""
  for flag in ("box", "boxes", "logo", "text", "text_model", "within", "dilate"):
    if getattr(arguments, flag):
      remedy = "make those masks in another folder"
      if flag == "dilate":
        remedy = "the masks stay exact, to be corrected; give it to bin/inpaint"
      raise InputError(
        f"{_as_written(flag)} does not go with --paint and --continue; {remedy}"
      )


def _as_written(flag: str) -> str:
  return "--" + flag.replace("_", "-")
