"""From the working size to the frame's own, along the edges of its colours."""

import cv2
import numpy as np

_RADIUS = 3  # of the guided filter, in working pixels
_SMOOTH = 1e-3  # variance of colour below which nothing is an edge


def to_own_size(chances: np.ndarray, frame: np.ndarray) -> np.ndarray:
  """Enlarges probabilities with the frame's colours as guide.

  Args:
    chances: `[h, w, K + 1]` float32 probabilities.
    frame: `[H, W, 3]` uint8 RGB; the same size changes nothing.

  Returns:
    `[H, W, K + 1]` float32.

  Reference: He, Sun and Tang, Guided Image Filtering, ECCV 2010.
  """
  height, width = frame.shape[:2]
  if chances.shape[:2] == (height, width):
    return chances
  scale = height / chances.shape[0]
  large = cv2.resize(chances, (width, height), interpolation=cv2.INTER_LINEAR)
  large = large.reshape(height, width, -1)
  guide = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
  window = (2 * max(round(_RADIUS * scale / 2), 1) + 1,) * 2
  mean, deviation = cv2.blur(guide, window), cv2.blur(guide * guide, window)
  deviation = deviation - mean * mean
  layers = []
  for layer in np.moveaxis(large, -1, 0):
    layer = np.ascontiguousarray(layer)
    average = cv2.blur(layer, window)
    slope = (cv2.blur(guide * layer, window) - mean * average) / (deviation + _SMOOTH)
    offset = average - slope * mean
    layers.append(cv2.blur(slope, window) * guide + cv2.blur(offset, window))
  return np.clip(np.stack(layers, -1), 0, 1)
