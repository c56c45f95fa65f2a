"""Simple inpainting to compare with."""

import cv2
import numpy as np

from dipvid_jax.preview import to_levels

_TELEA_RADIUS = 3


def telea(frames: np.ndarray, hole_masks: np.ndarray) -> np.ndarray:
  """Fills each frame's hole from its border alone, by OpenCV's Telea.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float, 1 = fill.

  Returns:
    `[T, H, W, 3]` float32 RGB in [0, 1], on 256 levels.

  Reference: Telea, An Image Inpainting Technique Based on the Fast Marching Method,
  2004.
  """
  filled = [
    cv2.inpaint(frame, hole, _TELEA_RADIUS, cv2.INPAINT_TELEA)
    for frame, hole in zip(
      to_levels(frames), (hole_masks > 0).astype(np.uint8), strict=True
    )
  ]
  return np.stack(filled).astype(np.float32) / 255
