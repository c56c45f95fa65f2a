"""Known pixels that no loss sees: a quality figure while the hole's truth is unknown.

The squares differ from frame to frame, so what one frame hides is visible in others, as
with a moving hole. Training treats them as hole, and nothing is carried into or out of
them: the network alone is measured. They are not hidden from the known flow,
which is estimated with them in view, nor from the mirrored border that `prepare` adds
to a padded frame.
"""

import cv2
import numpy as np
from jaxtyping import Float, Float32

from dipvid_jax.metrics import hole_psnr
from dipvid_jax.propagation.telea import telea

_GAP = 2  # pixels between a square and the hole
_LARGEST_SIDE, _SMALLEST_SIDE = 16, 2
_SIDES_IN_FRAME = 12  # that fit into the frame's shorter side
_STREAM = 1  # goes with the seed; the schedule draws from the seed alone


def patch_side(size: tuple[int, int]) -> int:
  """Side in pixels of the squares in frames of size (H, W)."""
  return min(_LARGEST_SIDE, max(_SMALLEST_SIDE, min(size) // _SIDES_IN_FRAME))


def draw_holdout(
  hole_masks: Float[np.ndarray, "T H W 1"], *, fraction: float, seed: int
) -> Float32[np.ndarray, "T H W 1"]:
  """Draws squares among the known pixels of each frame.

  Args:
    hole_masks: `[T, H, W, 1]` float, above 0 = hole.
    fraction: share of the known pixels that the squares cover, rounded up to a whole
      square; less if the hole leaves no room.
    seed: of the squares' places.

  Returns:
    `[T, H, W, 1]` float32, 1 = held out: squares that do not overlap, with at least 2
    pixels between them and the hole.
  """
  side = patch_side(hole_masks.shape[1:3])
  known = (hole_masks <= 0).sum(axis=(1, 2, 3))
  wanted = np.ceil(np.cumsum(known) * fraction / side**2).astype(int)
  counts = np.diff(wanted, prepend=0)
  generator = np.random.default_rng((seed, _STREAM))
  return np.stack(
    [
      _draw_frame(hole[..., 0] > 0, count=count, side=side, generator=generator)
      for hole, count in zip(hole_masks, counts.tolist(), strict=True)
    ]
  )[..., None]


def _draw_frame(
  hole: np.ndarray, *, count: int, side: int, generator: np.random.Generator
) -> np.ndarray:
  around = np.ones((2 * _GAP + 1, 2 * _GAP + 1), np.uint8)
  free = 1 - cv2.dilate(hole.astype(np.uint8), around)
  held_out = np.zeros(hole.shape, np.float32)
  square = np.ones((side, side), np.uint8)
  for _ in range(count):
    # Top left corners whose whole square lies in the frame and is free.
    corners = cv2.erode(
      free, square, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    places = np.argwhere(corners)
    if not len(places):
      break
    top, left = places[generator.integers(len(places))]
    drawn = slice(top, top + side), slice(left, left + side)
    held_out[drawn], free[drawn] = 1, 0
  return held_out


def hide_held_out(
  frames: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  holdout: Float32[np.ndarray, "T H W 1"],
  *,
  fill_hole: bool,
) -> Float32[np.ndarray, "T H W 3"]:
  """Fills the squares from their surroundings.

  Whatever samples the frames near a square, as carrying does, then sees none of it.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    holdout: `[T, H, W, 1]` float32, 1 = held out.
    fill_hole: also refill the hole, whose filling may have read the squares.

  Returns:
    `[T, H, W, 3]` float32; `frames` outside the filled pixels.
  """
  if not holdout.any():
    return frames
  hidden = np.maximum(hole_masks, holdout)
  filled = hidden if fill_hole else holdout
  return np.where(filled > 0, telea(frames, hidden), frames)


def holdout_psnr(
  full: Float[np.ndarray, "T H W 3"],
  frames: Float[np.ndarray, "T H W 3"],
  holdout: Float[np.ndarray, "T H W 1"],
) -> float | None:
  """How well the network predicts pixels that it has not seen.

  Args:
    full: `[T, H, W, 3]` float RGB in [0, 1], the network's frames.
    frames: `[T, H, W, 3]` float, the input.
    holdout: `[T, H, W, 1]`, 1 = held out.

  Returns:
    PSNR over the held-out pixels in decibels, as `hole_psnr`; None if there are none.
  """
  return hole_psnr(full, frames, holdout) if holdout.any() else None
