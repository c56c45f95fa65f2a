"""The windows and constants of Wang et al.'s SSIM, for values in [0, 1].

Reference: Wang et al., Image quality assessment, IEEE TIP 2004.
"""

import numpy as np

from dipvid_jax.evaluation.frame_quality import WINDOW

C1, C2 = 0.01**2, 0.03**2
_SIGMA = 1.5  # pixels


def window_weights() -> np.ndarray:
  """Of a window's rows or columns: Gaussian, summing to 1, `[WINDOW]` float32."""
  weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * _SIGMA**2))
  return (weights / weights.sum()).astype(np.float32)


def window_matrix(side: int) -> np.ndarray:
  """Weights of all windows that lie within a side `[side - WINDOW + 1, side]`.

  `m @ x @ m.T` are the weighted means in the windows of a square x.
  """
  matrix, weights = np.zeros((side - WINDOW + 1, side), np.float32), window_weights()
  for first, row in enumerate(matrix):
    row[first : first + WINDOW] = weights
  return matrix
