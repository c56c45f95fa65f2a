"""Round elements for growing and closing masks."""

import cv2
import numpy as np


def disc(radius: int) -> np.ndarray:
  """The pixels that are at most so far from the middle one.

  Args:
    radius: in pixels.

  Returns:
    `[2 radius + 1, 2 radius + 1]` uint8, 1 inside, as OpenCV's morphology takes it.
  """
  side = 2 * radius + 1
  return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
