"""Looks of frames that nothing was computed of."""

import numpy as np

from dipvid_jax.masking.propagation import Looks
from dipvid_jax.masking.propagation.looks import STRIDES, Projection


def no_looks(frames):
  """Looks of `[T, H, W, 3]` frames, as small as can be."""
  count, *size = frames.shape[:3]
  layer = np.zeros((count, 1, 1, 1), np.float16)
  nothing = Projection(np.zeros(1, np.float32), np.zeros((1, 1), np.float32))
  flow = np.zeros((count - 1, 1, 1, 2), np.float16)
  layers = len(STRIDES)
  return Looks(
    tuple(size), frames[:, :1, :1], (layer,) * layers, flow, flow, (nothing,) * layers
  )
