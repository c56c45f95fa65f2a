"""From the input's size to the size that the network works at.

Sizes are (H, W), boxes (top, left, height, width), all in pixels.
"""

import dataclasses
from typing import Literal, NamedTuple

import cv2
import numpy as np

from dipvid_jax import images
from dipvid_jax.errors import InputError
from dipvid_jax.masks import HOLE_ABOVE

Fit = Literal["crop", "pad"]
# The deepest convolution pads by reflection; its map must be larger than that.
DEEPEST_PADDING = 2


class Box(NamedTuple):
  """A rectangle of pixels."""

  top: int
  left: int
  height: int
  width: int

  @property
  def slices(self) -> tuple[slice, slice]:
    """Rows and columns, to index an image with."""
    return (
      slice(self.top, self.top + self.height),
      slice(self.left, self.left + self.width),
    )


@dataclasses.dataclass(frozen=True)
class Placement:
  """Where the input lies in a working frame: what is needed to put results back.

  Attributes:
    input_size: (H, W) of the input's frames.
    size: (H, W) of the working frames.
    source: the part of an input frame that is shown; all of it with fit="pad".
    target: the part of a working frame that shows it; all of it with fit="crop".
      What lies around it is the content's reflection.
  """

  input_size: tuple[int, int]
  size: tuple[int, int]
  source: Box
  target: Box


def check_size(size: tuple[int, int], levels: int) -> None:
  """Checks that a working size suits a network of so many levels.

  Each level halves the size, so both sides must be multiples of 2^levels, and the
  smallest map must be larger than the padding of its convolution.

  Raises:
    InputError: it does not; the line says which sizes do.
  """
  if len(size) != 2 or min(size) < 1 or levels < 1:
    raise InputError(f"size={size}, levels={levels}: two sides and a level at least")
  step = 2**levels
  smallest = (DEEPEST_PADDING + 1) * step
  if _suits(size, levels):
    return
  near = tuple(max(smallest, round(side / step) * step) for side in size)
  line = (
    f"size={size[0]}x{size[1]} (height x width) does not suit levels={levels}: both"
    f" sides must be multiples of {step} and at least {smallest}, such as"
    f" {near[0]}x{near[1]}"
  )
  fewer = next((n for n in range(levels - 1, 0, -1) if _suits(size, n)), None)
  if fewer is not None:
    line += f"; or use levels={fewer}"
  raise InputError(line)


def _suits(size: tuple[int, int], levels: int) -> bool:
  step = 2**levels
  return all(side % step == 0 and side // step > DEEPEST_PADDING for side in size)


def place(input_size: tuple[int, int], *, size: tuple[int, int], fit: Fit) -> Placement:
  """Decides which part of the input is shown where.

  Args:
    input_size: (H, W) of the input's frames.
    size: (H, W) of the working frames.
    fit: "crop" cuts the input centrally to the target's aspect; "pad" keeps all of
      it and its aspect, centred.

  Returns:
    The placement. Where the aspects are equal, both fits give the same.

  Raises:
    InputError: fit is another word.
  """
  height, width = input_size
  if fit == "crop":
    source = _centred(input_size, within=size)
    return Placement(input_size, size, source, Box(0, 0, *size))
  if fit == "pad":
    target = _centred(size, within=input_size)
    return Placement(input_size, size, Box(0, 0, height, width), target)
  raise InputError(f'fit="{fit}" is not known; use fit="crop" or fit="pad"')


def _centred(size: tuple[int, int], *, within: tuple[int, int]) -> Box:
  """The largest centred box in `size` that has the aspect of `within`."""
  scale = min(size[0] / within[0], size[1] / within[1])
  height = min(size[0], max(1, round(within[0] * scale)))
  width = min(size[1], max(1, round(within[1] * scale)))
  return Box((size[0] - height) // 2, (size[1] - width) // 2, height, width)


def prepare(
  frames: np.ndarray,
  masks: np.ndarray,
  *,
  size: tuple[int, int],
  fit: Fit,
  hide_hole: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
  """Brings a clip and its mask to the working size.

  Both are resized with area interpolation; what is hole is decided afterwards. With
  fit="pad" the border is the reflection of the frame *and of its hole*: what the
  hole hides must not be shown to the network a second time.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    size: (h, w) of the working frames.
    fit: see `place`.
    hide_hole: a working pixel into which anything of the hole went is hole, so that
      nothing of the hole's content is left outside it; else what is hole by half.

  Returns:
    frames `[T, h, w, 3]` float32 RGB in [0, 1], and hole masks `[T, h, w, 1]`
    float32, 1 in the hole and 0 elsewhere.

  Raises:
    InputError: a hole outside the crop, or no hole left at the working size.
    ValueError: arrays of another type or shape.
  """
  images.check_frames(frames)
  if masks.dtype != np.uint8 or masks.shape != (*frames.shape[:3], 1):
    raise ValueError(
      f"masks must be {[*frames.shape[:3], 1]} uint8, as the frames are, got"
      f" {masks.dtype} {list(masks.shape)}"
    )
  placement = place(frames.shape[1:3], size=size, fit=fit)
  _check_crop(masks, placement)
  prepared = np.empty((len(frames), *size, 3), np.float32)
  hole_masks = np.empty((len(frames), *size, 1), np.float32)
  for t in range(len(frames)):
    prepared[t] = _fit_image(frames[t], placement)
    hole = masks[t, ..., 0]
    if hide_hole:
      touched = _fit_image((hole > HOLE_ABOVE).astype(np.float32), placement)
      hole_masks[t, ..., 0] = touched > 0
    else:
      hole_masks[t, ..., 0] = _fit_image(hole, placement) > HOLE_ABOVE
  prepared /= 255
  if not hole_masks.any() and (masks > HOLE_ABOVE).any():
    raise InputError(
      f"no hole is left at size={size[0]}x{size[1]}: it is too small in every frame;"
      " use a larger size or --dilate"
    )
  return prepared, hole_masks


def put_back(
  inputs: np.ndarray, masks: np.ndarray, result: np.ndarray, *, placement: Placement
) -> np.ndarray:
  """Puts the filled hole back into the input, at the input's own size.

  Args:
    inputs: `[T, H, W, 3]` uint8 RGB, as they were read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    result: `[T, h, w, 3]` uint8 RGB working frames.
    placement: from `place`, as `prepare` used it.

  Returns:
    `[T, H, W, 3]` uint8 RGB: the input's own pixels outside the hole, the result
    inside, enlarged by cubic interpolation.
  """
  source, target = placement.source, placement.target
  filled = inputs.copy()
  for frame, mask, image in zip(filled, masks, result, strict=True):
    shown = cv2.resize(
      image[target.slices], (source.width, source.height), interpolation=cv2.INTER_CUBIC
    )
    hole = mask[source.slices] > HOLE_ABOVE
    frame[source.slices] = np.where(hole, shown, frame[source.slices])
  return filled


def _fit_image(image: np.ndarray, placement: Placement) -> np.ndarray:
  """Crops, resizes and pads one image, `[H, W]` or `[H, W, 3]`."""
  target, (height, width) = placement.target, placement.size
  shown = cv2.resize(
    image[placement.source.slices],
    (target.width, target.height),
    interpolation=cv2.INTER_AREA,
  )
  bottom = height - target.top - target.height
  right = width - target.left - target.width
  border = ((target.top, bottom), (target.left, right), (0, 0))
  return np.pad(shown, border[: shown.ndim], mode="reflect")


def _check_crop(masks: np.ndarray, placement: Placement) -> None:
  hole = np.any(masks[..., 0] > HOLE_ABOVE, axis=0)
  hole[placement.source.slices] = False
  if hole.any():
    box = placement.source
    raise InputError(
      f'fit="crop" would cut off a part of the hole: it keeps the central'
      f" {box.width}x{box.height} of {images.format_size(placement.input_size)} (width x"
      ' height); set fit="pad"'
    )
