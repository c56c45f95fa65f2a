"""Parts of a clip that a user names: a rectangle of its picture, a range of frames.

Coordinates are pixels of the upright picture as players show it, from its upper left
corner. Frames are counted from 0.
"""

from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size

_SHARE_OF_A_PIXEL = 1e-6  # less than this of a pixel is an error of rounding


class Rectangle(NamedTuple):
  """A rectangle in pixels, fractions allowed.

  Attributes:
    x, y: of its upper left corner; (0, 0) is the corner of the picture.
    width, height: of its sides.
  """

  x: float
  y: float
  width: float
  height: float

  def slices(self, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of every pixel that the rectangle touches.

    Args:
      size: (H, W) of the picture; what lies outside of it is cut off.
    """
    ends = ((self.y, self.height, size[0]), (self.x, self.width, size[1]))
    rows, columns = (_touched(start, length, most) for start, length, most in ends)
    return rows, columns

  def check_sides(self, name: str) -> None:
    """Checks that it has an area.

    Args:
      name: what names it, for the error.

    Raises:
      InputError: a side is not positive, or a number is not finite.
    """
    if not np.isfinite(self).all():
      raise InputError(f"{name}: x, y, width and height must be numbers")
    if min(self.width, self.height) <= 0:
      raise InputError(
        f"{name}: width and height must be positive, got {self.width:g} and"
        f" {self.height:g}"
      )

  def check_inside(self, name: str, size: tuple[int, int]) -> None:
    """Checks that it has an area, all of it within the picture.

    Args:
      name: what names it, for the error.
      size: (H, W) of the picture.

    Raises:
      InputError: it has none, or reaches beyond the picture.
    """
    self.check_sides(name)
    height, width = size
    right, bottom = self.x + self.width, self.y + self.height
    if min(self.x, self.y) < 0 or right > width or bottom > height:
      raise InputError(
        f"{name}: reaches from ({self.x:g}, {self.y:g}) to ({right:g}, {bottom:g}),"
        f" beyond the picture of width {width} and height {height}"
        f" ({format_size(size)}, upright)"
      )


class FrameRange(NamedTuple):
  """Frames of a clip, the first and the last of them included."""

  first: int
  last: int

  def check(self, name: str, frame_count: int) -> None:
    """Checks that a clip has these frames.

    Args:
      name: what names the range, for the error.
      frame_count: T.

    Raises:
      InputError: it has not, or the first comes after the last.
    """
    if self.first > self.last:
      raise InputError(
        f"{name}: begins at frame {self.first}, after its end at frame {self.last}"
      )
    if self.first < 0 or self.last >= frame_count:
      frames = "1 frame, 0" if frame_count == 1 else f"{frame_count} frames, 0 to"
      ending = "" if frame_count == 1 else f" {frame_count - 1}"
      raise InputError(
        f"{name}: frames {self.first} to {self.last} of a video of {frames}{ending}"
      )


def _touched(start: float, length: float, most: int) -> slice:
  first = int(np.floor(start + _SHARE_OF_A_PIXEL))
  end = int(np.ceil(start + length - _SHARE_OF_A_PIXEL))
  return slice(min(max(first, 0), most), min(max(end, 0), most))
