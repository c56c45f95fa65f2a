"""Brings clips and holes to the working size, and results back to the input's."""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media import images
from dipvid_jax.media.masks import HOLE_ABOVE, check_hole, ones_to_white
from dipvid_jax.media.placement import Fit, Placement, place
from dipvid_jax.media.seam import border_correction

Around = Literal["reflect", "edge", "constant"]


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

  Both are resized with area interpolation; the threshold of the hole is applied
  afterwards. With fit="pad" the border is the reflection of the frame *and of its
  hole*: the network must not see a reflection of what the hole hides.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    masks: `[T, H, W, 1]` uint8, above 127 = hole; or 0 and 1, 1 = hole.
    size, fit, levels: see `place`.
    hide_hole: a working pixel is hole if any part of it is, so that nothing of the
      hole's content is left outside; else if at least half of it is.

  Returns:
    frames `[T, h, w, 3]` float32 RGB in [0, 1], and hole masks `[T, h, w, 1]`
    float32, 1 in the hole and 0 elsewhere; h x w is the placement's size.

  Raises:
    InputError: masks that hold values, but none above 127; or part of the hole is
      outside the crop, or nothing but hole, or no hole, is left at the working size.
    ValueError: the arrays have another type or shape.
  """
  images.check_frames(frames)
  if masks.dtype != np.uint8 or masks.shape != (*frames.shape[:3], 1):
    raise ValueError(
      f"masks must be {[*frames.shape[:3], 1]} uint8, to match the frames, got"
      f" {masks.dtype} {list(masks.shape)}"
    )
  masks = ones_to_white(masks)
  if masks.any():
    check_hole("masks", masks, invert=False)
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
    target[:] = fit_image(frame, placement)
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
    InputError: see `prepare`.
  """
  _check_crop(masks, placement)
  holes = np.empty((len(masks), *placement.size, 1), bool)
  for target, mask in zip(holes[..., 0], masks[..., 0], strict=True):
    if hide_hole:
      touched = fit_image((mask > HOLE_ABOVE).astype(np.float32), placement)
      target[:] = touched > 0
    else:
      target[:] = fit_image(mask, placement) > HOLE_ABOVE
  size = images.format_size(placement.size)
  if not holes.any() and (masks > HOLE_ABOVE).any():
    raise InputError(
      f"no hole is left at size={size} (height x width): it is too small in every"
      " frame; use a larger size or --dilate"
    )
  if holes.all():
    raise InputError(
      f"the hole covers the whole of every frame at size={size} (height x width), which"
      " leaves nothing to learn from; use a smaller --dilate"
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
  detail: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
  """Puts the filled hole back into the input, at the input's own size.

  Args:
    inputs: `[T, H, W, 3]` uint8 RGB, as they were read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    result: `[T, h, w, 3]` uint8 RGB working frames.
    placement: from `place`, as `prepare` used it.
    feather: within this many input pixels of the border the fill is colour-corrected
      to meet its surroundings; see `border_correction`.
    generated: `[T, h, w, 3]` uint8 RGB, the network's own frames; for `feather`.
    share: `[T, h, w, 1]` float32, their share of `result`; None: 1 everywhere.
    detail: `[T, P, 3]` float, levels to add to the hole's pixels inside the placement's
      source, in the order of `np.nonzero`; None: nothing.

  Yields:
    T frames, `[H, W, 3]` uint8 RGB: the input's own pixels outside the hole, the result
    inside, enlarged by cubic interpolation.

  Raises:
    ValueError: `feather` without `generated`.
  """
  if feather and generated is None:
    raise ValueError("feather needs the network's own frames: generated")
  for t, input_frame in enumerate(inputs):
    frame = input_frame.copy()
    content = frame[placement.source.slices]
    hole = masks[t, ..., 0][placement.source.slices] > HOLE_ABOVE
    shown = enlarge_image(result[t], placement)
    if feather and generated is not None:
      around = enlarge_image(generated[t], placement)
      correction = border_correction(content, around, hole, pixels=feather)
      if share is not None:
        correction *= enlarge_image(share[t], placement).clip(0, 1)[..., None]
      shown = np.rint((shown + correction).clip(0, 255)).astype(np.uint8)
    fill = shown[hole]
    if detail is not None:
      fill = np.rint((fill + detail[t, : len(fill)]).clip(0, 255)).astype(np.uint8)
    content[hole] = fill
    yield frame


def enlarge_image(image: np.ndarray, placement: Placement) -> np.ndarray:
  """Brings the content of a working frame to the input's size."""
  width_height = placement.source.width, placement.source.height
  shown = image[placement.target.slices]
  return cv2.resize(shown, width_height, interpolation=cv2.INTER_CUBIC)


def fit_image(
  image: np.ndarray, placement: Placement, *, around: Around = "reflect"
) -> np.ndarray:
  """Crops, resizes and pads one image.

  Args:
    image: `[H, W]` or `[H, W, C]`.
    placement: of the image in the working frame.
    around: what surrounds it there: its reflection, its edge, or zeros ("constant").

  Returns:
    `[h, w]` or `[h, w, C]`; OpenCV drops the axis of a single channel.
  """
  target, (height, width) = placement.target, placement.size
  shown = cv2.resize(
    image[placement.source.slices],
    (target.width, target.height),
    interpolation=cv2.INTER_AREA,
  )
  bottom = height - target.top - target.height
  right = width - target.left - target.width
  border = ((target.top, bottom), (target.left, right), (0, 0))
  return np.pad(shown, border[: shown.ndim], mode=around)


def _check_crop(masks: np.ndarray, placement: Placement) -> None:
  hole = masks[..., 0].max(axis=0) > HOLE_ABOVE
  hole[placement.source.slices] = False
  if hole.any():
    kept = images.format_size(placement.source[2:])
    raise InputError(
      f'fit="crop" would cut off part of the hole: it keeps the central {kept} of'
      f" {images.format_size(placement.input_size)} (height x width); set"
      ' fit="pad"'
    )
