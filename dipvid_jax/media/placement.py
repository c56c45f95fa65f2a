"""From the input's size to the size that the network works at.

Sizes are (H, W), boxes (top, left, height, width), all in pixels.
"""

import dataclasses
from typing import Literal, NamedTuple

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media import images
from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.seam import lead_over

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
    target: the part of a working frame that shows it. What lies around it is the
      content's reflection.
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


def check_smallest(size: tuple[int, int], levels: int) -> None:
  """Checks that a size is large enough for a network of so many levels.

  Raises:
    InputError: it is smaller than every size that suits; the line says what would do.
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


def place(
  input_size: tuple[int, int],
  *,
  size: tuple[int, int] | None,
  fit: Fit,
  levels: int | None = None,
) -> Placement:
  """Decides which part of the input is shown where.

  Args:
    input_size: (H, W) of the input's frames.
    size: (H, W) that the content gets; None: the input's own.
    fit: "crop" cuts the input centrally to the target's aspect; "pad" keeps all of
      it and its aspect, centred.
    levels: the working frames become larger than `size` where it does not suit a
      network of so many levels; None: they are `size`.

  Returns:
    The placement. Where the aspects are equal, both fits give the same.

  Raises:
    InputError: fit is another word.
  """
  size = size or input_size
  source, target = Box(0, 0, *input_size), Box(0, 0, *size)
  if fit == "crop":
    source = _centred(input_size, within=size)
  elif fit == "pad":
    target = _centred(size, within=input_size)
  else:
    raise InputError(f'fit="{fit}" is not known; use fit="crop" or fit="pad"')
  working = size if levels is None else _suiting(size, levels)
  top, left = ((w - s) // 2 for w, s in zip(working, size, strict=True))
  target = target._replace(top=target.top + top, left=target.left + left)
  return Placement(input_size, working, source, target)


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


def prepare(
  frames: np.ndarray,
  masks: np.ndarray,
  *,
  size: tuple[int, int] | None,
  fit: Fit,
  levels: int | None = None,
  hide_hole: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
  """Brings a clip and its mask to the working size.

  Both are resized with area interpolation; what is hole is decided afterwards. With
  fit="pad" the border is the reflection of the frame *and of its hole*: what the
  hole hides must not be shown to the network a second time.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    size, fit, levels: see `place`.
    hide_hole: a working pixel into which anything of the hole went is hole, so that
      nothing of the hole's content is left outside it; else what is hole by half.

  Returns:
    frames `[T, h, w, 3]` float32 RGB in [0, 1], and hole masks `[T, h, w, 1]`
    float32, 1 in the hole and 0 elsewhere; h x w is the placement's size.

  Raises:
    InputError: a hole outside the crop; no hole, or nothing else, left at the working
      size.
    ValueError: arrays of another type or shape.
  """
  images.check_frames(frames)
  if masks.dtype != np.uint8 or masks.shape != (*frames.shape[:3], 1):
    raise ValueError(
      f"masks must be {[*frames.shape[:3], 1]} uint8, as the frames are, got"
      f" {masks.dtype} {list(masks.shape)}"
    )
  placement = place(frames.shape[1:3], size=size, fit=fit, levels=levels)
  hole_masks = prepare_holes(masks, placement, hide_hole=hide_hole)
  return prepare_frames(frames, placement), hole_masks.astype(np.float32)


def prepare_frames(frames: np.ndarray, placement: Placement) -> np.ndarray:
  """Brings frames to the working size.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    placement: from `place`.

  Returns:
    `[T, h, w, 3]` float32 RGB in [0, 1].
  """
  prepared = np.empty((len(frames), *placement.size, 3), np.float32)
  for target, frame in zip(prepared, frames, strict=True):
    target[:] = _fit_image(frame, placement)
  prepared /= 255
  return prepared


def prepare_holes(
  masks: np.ndarray, placement: Placement, *, hide_hole: bool = False
) -> np.ndarray:
  """Brings a clip's hole to the working size.

  Args:
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    placement: from `place`.
    hide_hole: see `prepare`.

  Returns:
    `[T, h, w, 1]` bool.

  Raises:
    InputError: as `prepare`.
  """
  _check_crop(masks, placement)
  holes = np.empty((len(masks), *placement.size, 1), bool)
  for target, mask in zip(holes[..., 0], masks[..., 0], strict=True):
    if hide_hole:
      touched = _fit_image((mask > HOLE_ABOVE).astype(np.float32), placement)
      target[:] = touched > 0
    else:
      target[:] = _fit_image(mask, placement) > HOLE_ABOVE
  if not holes.any() and (masks > HOLE_ABOVE).any():
    raise InputError(
      f"no hole is left at size={placement.size[0]}x{placement.size[1]}: it is too small in every frame;"
      " use a larger size or --dilate"
    )
  if holes.all():
    raise InputError(
      f"the hole covers the whole of every frame at size={placement.size[0]}x"
      f"{placement.size[1]}, nothing is left to learn from; use a smaller --dilate"
    )
  return holes


def put_back(
  inputs: np.ndarray,
  masks: np.ndarray,
  result: np.ndarray,
  *,
  placement: Placement,
  feather: float = 0,
  generated: np.ndarray | None = None,
  share: np.ndarray | None = None,
) -> np.ndarray:
  """Puts the filled hole back into the input, at the input's own size.

  Args:
    inputs: `[T, H, W, 3]` uint8 RGB, as they were read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    result: `[T, h, w, 3]` uint8 RGB working frames.
    placement: from `place`, as `prepare` used it.
    feather: width in input pixels over which the filling leads over into what
      surrounds it, inside the hole; see `lead_over`.
    generated: `[T, h, w, 3]` uint8 RGB, the network's own frames; for `feather`.
    share: `[T, h, w, 1]` float32, their share in `result`; None: all of it.

  Returns:
    `[T, H, W, 3]` uint8 RGB: the input's own pixels outside the hole, the result
    inside, enlarged by cubic interpolation.

  Raises:
    ValueError: `feather` without `generated`.
  """
  if feather and generated is None:
    raise ValueError("feather needs the network's own frames: generated")
  filled = inputs.copy()
  for t, frame in enumerate(filled):
    content = frame[placement.source.slices]
    hole = masks[t, ..., 0][placement.source.slices] > HOLE_ABOVE
    shown = _enlarge(result[t], placement)
    if feather and generated is not None:
      around = _enlarge(generated[t], placement)
      missing = lead_over(content, around, hole, pixels=feather)
      if share is not None:
        missing *= _enlarge(share[t], placement).clip(0, 1)[..., None]
      shown = np.rint((shown + missing).clip(0, 255)).astype(np.uint8)
    content[hole] = shown[hole]
  return filled


def _enlarge(image: np.ndarray, placement: Placement) -> np.ndarray:
  """Brings the content of a working frame to the input's size."""
  width_height = placement.source.width, placement.source.height
  shown = image[placement.target.slices]
  return cv2.resize(shown, width_height, interpolation=cv2.INTER_CUBIC)


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
  hole = masks[..., 0].max(axis=0) > HOLE_ABOVE
  hole[placement.source.slices] = False
  if hole.any():
    box = placement.source
    raise InputError(
      f'fit="crop" would cut off a part of the hole: it keeps the central'
      f" {box.width}x{box.height} of {images.format_size(placement.input_size)} (width x"
      ' height); set fit="pad"'
    )
