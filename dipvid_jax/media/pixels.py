"""Pixel values: float intensities and 8-bit levels."""

import numpy as np


def to_levels(frames: np.ndarray) -> np.ndarray:
  """Float RGB in [0, 1] to uint8, rounded to the nearest level."""
  return np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)
