"""From background and masks to what a method sees, the hole and the truth."""

import cv2
import numpy as np

from dipvid_jax.composed.recipe import Recipe, mask_frames
from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size
from dipvid_jax.media.placement import place

# What a method sees in the hole: mid-grey, unrelated to the truth.
HIDDEN_LEVEL = 128


def fit_frames(frames: np.ndarray, *, size: tuple[int, int]) -> np.ndarray:
  """Cuts frames centrally to the aspect of `size` and resizes them by area.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    size: (h, w).

  Returns:
    `[T, h, w, 3]` uint8 RGB; `frames` itself if it has the size already.
  """
  if frames.shape[1:3] == tuple(size):
    return frames
  source = place(frames.shape[1:3], size=size, fit="crop").source
  return np.stack(
    [
      cv2.resize(frame[source.slices], size[::-1], interpolation=cv2.INTER_AREA)
      for frame in frames
    ]
  )


def place_mask(masks: np.ndarray, recipe: Recipe) -> np.ndarray:
  """Places a sequence of masks in the composed frames.

  Each pixel takes the mask's pixel at its centre. The mask is stretched to the whole
  frame, whatever its aspect, before it is mirrored, scaled and moved.

  Args:
    masks: `[S, h, w]` bool, all masks of the sequence, True in the hole.
    recipe: of the video.

  Returns:
    `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.

  Raises:
    InputError: no hole is left, or only hole.
  """
  scale = recipe.scale_percent / 100
  rows, columns = (
    _source_lines(length, source, scale=scale, offset=offset)
    for length, source, offset in zip(
      recipe.frame_size, masks.shape[1:], recipe.offset, strict=True
    )
  )
  chosen = masks[mask_frames(recipe, len(masks))]
  if recipe.flip:
    chosen = chosen[:, :, ::-1]
  # Beyond the mask's edges the line is -1, which the padding makes no hole.
  padded = np.pad(chosen, ((0, 0), (0, 1), (0, 1)))
  hole = padded[:, rows][:, :, columns]
  if hole.all() or not hole.any():
    raise InputError(
      f"{recipe.video_id}: the mask {recipe.mask} leaves"
      f" {'nothing but hole' if hole.all() else 'no hole'} in frames of"
      f" {format_size(recipe.frame_size)} (height x width); remove it"
    )
  return np.where(hole, np.uint8(255), np.uint8(0))[..., None]


def _source_lines(length: int, source: int, *, scale: float, offset: int) -> np.ndarray:
  """`[length]` int: the mask's row or column for each of the frame's, -1 beyond."""
  centre = length / 2
  positions = (np.arange(length) + 0.5 - offset - centre) / scale + centre
  lines = np.floor(positions * source / length).astype(int)
  return np.where((lines >= 0) & (lines < source), lines, -1)


def hide(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
  """Replaces the content of the hole by one grey level.

  Args:
    truth: `[T, H, W, 3]` uint8 RGB.
    hole: `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.

  Returns:
    `[T, H, W, 3]` uint8 RGB, what a method may see.
  """
  return np.where(hole > 0, np.uint8(HIDDEN_LEVEL), truth)


def to_pngs(images: np.ndarray) -> list[bytes]:
  """Encodes images losslessly.

  Args:
    images: `[T, H, W, 3]` RGB or `[T, H, W, 1]` grey, uint8.

  Returns:
    One PNG file for each image.
  """
  # OpenCV stores channels in reverse order; a single channel is unaffected.
  ordered = np.ascontiguousarray(images[..., ::-1])
  return [cv2.imencode(".png", image)[1].tobytes() for image in ordered]
