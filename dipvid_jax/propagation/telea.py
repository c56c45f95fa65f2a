"""Telea's inpainting of single frames: an initial filling, and a baseline."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

from dipvid_jax.media.pixels import to_levels

_TELEA_RADIUS = 3


def telea(
  frames: Float[np.ndarray, "T H W 3"], hole_masks: Float[np.ndarray, "T H W 1"]
) -> Float32[np.ndarray, "T H W 3"]:
  """Fills each frame's hole from its border alone, by OpenCV's Telea.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float, 1 = fill.

  Returns:
    `[T, H, W, 3]` float32 RGB in [0, 1]: the frames outside the hole, 256 levels
    inside.

  Reference: Telea, An Image Inpainting Technique Based on the Fast Marching Method,
  2004.
  """
  holes = (hole_masks[..., 0] > 0).astype(np.uint8)
  filled = np.stack([*map(_inpaint, to_levels(frames), holes)]).astype(np.float32)
  return np.where(hole_masks > 0, filled / 255, frames.astype(np.float32))


def _inpaint(frame: np.ndarray, hole: np.ndarray) -> np.ndarray:
  # At the frame's edge OpenCV reads some hole pixels: they must not show the content
  # that a comparison hides from the other methods.
  hidden = frame.copy()
  hidden[hole > 0] = frame[hole == 0].mean(axis=0).round() if (hole == 0).any() else 0
  return cv2.inpaint(hidden, hole, _TELEA_RADIUS, cv2.INPAINT_TELEA)
