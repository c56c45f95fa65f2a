"""How `bin/mask` writes a box, a rectangle and a range of frames."""

import argparse
import re
from typing import NamedTuple

from dipvid_jax.masking.areas import FrameRange, Rectangle

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)", re.ASCII)
_RANGE = re.compile(r"(\d{1,9}):(\d{1,9})", re.ASCII)


class BoxFlag(NamedTuple):
  """A `--box`.

  Attributes:
    text: as written.
    rectangle: in pixels.
    frames: in which it is; None: in all.
  """

  text: str
  rectangle: Rectangle
  frames: FrameRange | None


def parse_box(text: str) -> BoxFlag:
  """Reads `x,y,width,height` or `x,y,width,height,from,to`.

  Raises:
    ArgumentTypeError: it is something else.
  """
  numbers = _numbers(text)
  ends = [cell.strip() for cell in text.split(",")[4:]]
  if len(numbers) not in (4, 6) or not all(re.fullmatch(r"\d{1,9}", e) for e in ends):
    raise argparse.ArgumentTypeError(
      f"{text!r} is not x,y,width,height or x,y,width,height,from,to (pixels, and"
      " frames from 0)"
    )
  frames = FrameRange(*map(int, ends)) if ends else None
  return BoxFlag(text, Rectangle(*numbers[:4]), frames)


def parse_rectangle(text: str) -> Rectangle:
  """Reads `x,y,width,height`.

  Raises:
    ArgumentTypeError: it is something else.
  """
  numbers = _numbers(text)
  if len(numbers) != 4:
    raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height, in pixels")
  return Rectangle(*numbers)


def parse_range(text: str) -> FrameRange:
  """Reads `FIRST:LAST`, both included.

  Raises:
    ArgumentTypeError: it is something else.
  """
  if ends := _RANGE.fullmatch(text):
    return FrameRange(int(ends[1]), int(ends[2]))
  raise argparse.ArgumentTypeError(
    f"{text!r} is not FIRST:LAST, such as 0:79 (frames from 0, both included)"
  )


def _numbers(text: str) -> list[float]:
  """The numbers between commas; none if a part is no number."""
  cells = [cell.strip() for cell in text.split(",")]
  return [float(c) for c in cells] if all(map(_NUMBER.fullmatch, cells)) else []
