"""Windows, moments and constants of Wang et al.'s SSIM, for values in [0, 1].

Reference: Wang et al., Image quality assessment, IEEE TIP 2004.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dipvid_jax.evaluation.frame_quality import WINDOW

C1, C2 = 0.01**2, 0.03**2
_SIGMA = 1.5  # pixels
_EXACT = lax.Precision.HIGHEST  # no TensorFloat-32


def window_weights() -> np.ndarray:
  """Of a window's rows or columns: Gaussian, summing to 1, `[WINDOW]` float32."""
  weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * _SIGMA**2))
  return (weights / weights.sum()).astype(np.float32)


def moments(image: jax.Array, centre: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Means and variances in the windows, `[3, h - 10, w - 10]` each."""
  means = window_means(image - centre)
  return means + centre, window_means((image - centre) ** 2) - means**2


def window_means(image: jax.Array) -> jax.Array:
  """Weighted means in the windows, `[3, h - 10, w - 10]`, of `[3, h, w]`."""
  across = jnp.einsum(
    "chw,jw->chj", image, _window_matrix(image.shape[2]), precision=_EXACT
  )
  # A sum of shifted rows is computed with what follows; a product would not be.
  weights, count = window_weights(), image.shape[1] - WINDOW + 1
  return sum(weights[k] * across[:, k : k + count] for k in range(WINDOW))


def _window_matrix(side: int) -> np.ndarray:
  """Weights of all windows that lie within a side `[side - WINDOW + 1, side]`.

  `m @ x @ m.T` are the weighted means in the windows of a square x.
  """
  matrix, weights = np.zeros((side - WINDOW + 1, side), np.float32), window_weights()
  for first, row in enumerate(matrix):
    row[first : first + WINDOW] = weights
  return matrix
