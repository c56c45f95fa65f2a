"""Where the input lies in the working frames, and which sizes suit a network.

Sizes are (H, W), boxes (top, left, height, width), all in pixels.
"""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np

from dipvid_jax.errors import InputError

Fit = Literal["crop", "pad"]
# The deepest convolution pads by reflection; its map must be larger than the padding.
DEEPEST_PADDING = 2


class Box(NamedTuple):
  """A rectangle of pixels."""

  top: int
  left: int
  height: int
  width: int

  @property
  def slices(self) -> tuple[slice, slice]:
    """Rows and columns, to index an image."""
    return (
      slice(self.top, self.top + self.height),
      slice(self.left, self.left + self.width),
    )


@dataclasses.dataclass(frozen=True)
class Placement:
  """Where the input lies in a working frame, so that results can be put back.

  Attributes:
    input_size: (H, W) of the input's frames.
    size: (H, W) of the working frames.
    source: the part of an input frame that is used; all of it with fit="pad".
    target: the part of a working frame that shows it. The reflection of the content
      surrounds it.
  """

  input_size: tuple[int, int]
  size: tuple[int, int]
  source: Box
  target: Box

  @property
  def unchanged(self) -> bool:
    """Whether a working frame is the input's, pixel by pixel."""
    return self.source == self.target == Box(0, 0, *self.size)

  @property
  def scale(self) -> np.ndarray:
    """`[2]` float32: input pixels for each working pixel, across and down."""
    source, target = self.source, self.target
    sides = [source.width / target.width, source.height / target.height]
    return np.array(sides, np.float32)


def check_size(size: tuple[int, int], levels: int) -> None:
  """Checks that a working size suits a network of `levels` levels.

  Each level halves the size, so both sides must be multiples of 2^levels, and the
  smallest map must be larger than the padding of its convolution.

  Raises:
    InputError: it does not; the line suggests one that does.
  """
  if len(size) != 2 or min(size) < 1 or levels < 1:
    raise InputError(
      f"size={size}, levels={levels}: needs two positive sides and at least one level"
    )
  step = 2**levels
  smallest = (DEEPEST_PADDING + 1) * step
  if size_suits(size, levels):
    return
  near = tuple(max(smallest, round(side / step) * step) for side in size)
  line = (
    f"size={size[0]}x{size[1]} (height x width) does not suit levels={levels}: both"
    f" sides must be multiples of {step} and at least {smallest}, such as"
    f" {near[0]}x{near[1]}"
  )
  fewer = next((n for n in range(levels - 1, 0, -1) if size_suits(size, n)), None)
  if fewer is not None:
    line += f"; or use levels={fewer}"
  raise InputError(line)


def size_suits(size: tuple[int, int], levels: int) -> bool:
  """Whether `check_size` takes a size."""
  step = 2**levels
  return all(side % step == 0 and side // step > DEEPEST_PADDING for side in size)


def check_smallest(size: tuple[int, int], levels: int) -> None:
  """Checks that a size is large enough for a network of `levels` levels.

  Raises:
    InputError: it is smaller than any size that suits; the line suggests a remedy.
  """
  smallest = (DEEPEST_PADDING + 1) * 2**levels
  if min(size) >= smallest:
    return
  line = (
    f"size={size[0]}x{size[1]} (height x width) is too small for levels={levels}: both"
    f" sides must be at least {smallest}"
  )
  fits = [n for n in range(1, levels) if min(size) >= (DEEPEST_PADDING + 1) * 2**n]
  raise InputError(line + (f"; or use levels={fits[-1]}" if fits else ""))


def describe_swapped_sides(
  size: tuple[int, int] | None, input_size: tuple[int, int]
) -> str:
  """Says that a size may have its sides in the other order.

  Args:
    size: (H, W) that was asked for; None: the input's own.
    input_size: (H, W) of the input's frames.

  Returns:
    A line with the other order if one of them is upright and the other lies; else
    empty.
  """
  if size is None or (size[0] - size[1]) * (input_size[0] - input_size[1]) >= 0:
    return ""
  (height, width), (rows, columns) = size, input_size
  return (
    f"size {height}x{width} is HEIGHTxWIDTH, and the video is {rows}x{columns}: did you"
    f" mean --size {width}x{height}?"
  )


def place(
  input_size: tuple[int, int],
  *,
  size: tuple[int, int] | None,
  fit: Fit,
  levels: int | None = None,
  side: int | None = None,
) -> Placement:
  """Decides which part of the input is shown where.

  Args:
    input_size: (H, W) of the input's frames.
    size: (H, W) of the content; None: the input's own.
    fit: "crop" cuts the input centrally to the target's aspect; "pad" keeps all of
      it and its aspect, centred.
    levels: levels of the network; the working frames become larger than `size` if it
      does not suit them; None: they are `size`.
    side: pixels that the shorter side has at most in frames that no network has to
      suit: they show the used part of the input alone, in its aspect and never
      enlarged, and `size` and `fit` only decide which part that is. None: as above.

  Returns:
    The placement. If the aspects are equal, both fits give the same.

  Raises:
    InputError: fit is neither "crop" nor "pad".
  """
  size = size or input_size
  source, target = Box(0, 0, *input_size), Box(0, 0, *size)
  if fit == "crop":
    source = _centred(input_size, within=size)
  elif fit == "pad":
    target = _centred(size, within=input_size)
  else:
    raise InputError(f'fit="{fit}" is not known; use fit="crop" or fit="pad"')
  if side is not None:
    scale = min(1, side / min(source.height, source.width))
    height, width = (max(1, round(n * scale)) for n in (source.height, source.width))
    return Placement(input_size, (height, width), source, Box(0, 0, height, width))
  working = size if levels is None else _suiting(size, levels)
  top, left = ((w - s) // 2 for w, s in zip(working, size, strict=True))
  target = target._replace(top=target.top + top, left=target.left + left)
  return Placement(input_size, working, source, target)


def place_in_network(
  frame_size: tuple[int, int], *, size: tuple[int, int] | None, levels: int
) -> Placement:
  """Decides where a network sees frames that may be larger than its own.

  Args:
    frame_size: (H, W).
    size: (H, W) at most of the frames in the network; None: their own.
    levels: of the network.

  Returns:
    The placement: all of a frame, padded to a size that suits the network, and never
    enlarged.
  """
  if size and all(n <= most for n, most in zip(frame_size, size, strict=True)):
    size = None
  return place(frame_size, size=size, fit="pad", levels=levels)


def _suiting(size: tuple[int, int], levels: int) -> tuple[int, int]:
  """The smallest size that suits `levels` and holds `size`."""
  step = 2**levels
  height, width = (max(-(-side // step), DEEPEST_PADDING + 1) * step for side in size)
  return height, width


def _centred(size: tuple[int, int], *, within: tuple[int, int]) -> Box:
  """The largest centred box in `size` that has the aspect of `within`."""
  scale = min(size[0] / within[0], size[1] / within[1])
  height = min(size[0], max(1, round(within[0] * scale)))
  width = min(size[1], max(1, round(within[1] * scale)))
  return Box((size[0] - height) // 2, (size[1] - width) // 2, height, width)
