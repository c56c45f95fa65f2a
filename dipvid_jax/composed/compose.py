"""Background and masks -> what a method sees, the hole, and what is behind it."""

import cv2
import numpy as np

from dipvid_jax.composed.recipe import Recipe, mask_frames
from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size
from dipvid_jax.media.placement import place

# What a method sees in the hole: neither the truth nor an extreme.
HIDDEN_LEVEL = 128


def fit_frames(frames: np.ndarray, *, size: tuple[int, int]) -> np.ndarray:
  """Cuts frames centrally to the aspect of `size` and resizes them by area.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    size: (h, w).

  Returns:
    `[T, h, w, 3]` uint8 RGB; the frames themselves where they have the size.
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
  """Brings a sequence of masks into the composed frames.

  Each pixel takes the mask's pixel at its centre; the whole mask fills the whole
  frame, whatever their aspects, before it is mirrored, scaled and moved.

  Args:
    masks: `[S, h, w]` bool, all masks of the sequence, True in the hole.
    recipe: of the video.

  Returns:
    `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.

  Raises:
    InputError: no hole is left, or nothing but hole.
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
  # Beyond the mask's edges, where the line is -1, there is no hole.
  padded = np.pad(chosen, ((0, 0), (0, 1), (0, 1)))
  hole = padded[:, rows][:, :, columns]
  if hole.all() or not hole.any():
    raise InputError(
      f"{recipe.video_id}: the mask {recipe.mask} leaves"
      f" {'nothing but hole' if hole.all() else 'no hole'} in frames of"
      f" {format_size(recipe.frame_size)} (height x width); take it out"
    )
  return np.where(hole, np.uint8(255), np.uint8(0))[..., None]


def _source_lines(length: int, source: int, *, scale: float, offset: int) -> np.ndarray:
  """`[length]` int: the mask's row or column at each of the frame's; -1 beyond it."""
  centre = length / 2
  positions = (np.arange(length) + 0.5 - offset - centre) / scale + centre
  lines = np.floor(positions * source / length).astype(int)
  return np.where((lines >= 0) & (lines < source), lines, -1)


def hide(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
  """Replaces what is in the hole by one grey.

  Args:
    truth: `[T, H, W, 3]` uint8 RGB.
    hole: `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.

  Returns:
    `[T, H, W, 3]` uint8 RGB, all that a method may see.
  """
  return np.where(hole > 0, np.uint8(HIDDEN_LEVEL), truth)


def to_pngs(images: np.ndarray) -> list[bytes]:
  """Encodes images losslessly.

  Args:
    images: `[T, H, W, 3]` RGB or `[T, H, W, 1]` grey, uint8.

  Returns:
    A PNG file each.
  """
  # OpenCV writes the last channel first, and of one channel that changes nothing.
  ordered = np.ascontiguousarray(images[..., ::-1])
  return [cv2.imencode(".png", image)[1].tobytes() for image in ordered]
