"""PSNR, the quality figure that training, reports and evaluation share.

PSNR is in decibels: 10 log10(peak^2 / mean squared error), infinite where both are
equal.
"""

import numpy as np

from flow.types import check_floating


def psnr(result: np.ndarray, truth: np.ndarray, *, peak: float = 1.0) -> float:
  """Peak signal-to-noise ratio over all values.

  Args:
    result: array of any shape.
    truth: array of the same shape.
    peak: the largest possible value: 1 for intensities, 255 for levels.

  Returns:
    Decibels; infinite where both are equal.
  """
  error = np.asarray(result, np.float64) - truth
  mean_square = float(np.mean(np.square(error)))
  return float("inf") if not mean_square else -10 * np.log10(mean_square / peak**2)


def hole_psnr(result: np.ndarray, truth: np.ndarray, hole_masks: np.ndarray) -> float:
  """Peak signal-to-noise ratio over the hole's pixels alone.

  Squared errors are pooled over hole pixels, channels and frames before the
  logarithm: 10 log10(1 / MSE).

  Args:
    result: `[T, H, W, 3]` float.
    truth: `[T, H, W, 3]` float, the true content.
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.

  Returns:
    Decibels; infinite where the hole is exact.

  Raises:
    ValueError: the shapes disagree, or no pixel is in the hole.
    TypeError: the result or the truth is not float.
  """
  result, truth, hole_masks = map(np.asarray, (result, truth, hole_masks))
  if result.shape != truth.shape or hole_masks.shape != (*truth.shape[:-1], 1):
    raise ValueError(
      f"hole_psnr needs results and truth of one shape and masks [.., 1], got "
      f"{result.shape}, {truth.shape} and {hole_masks.shape}"
    )
  check_floating("hole_psnr: the result", result)
  check_floating("hole_psnr: the truth", truth)
  hole = hole_masks[..., 0] > 0
  if not hole.any():
    raise ValueError("hole_psnr: no pixel is in the hole")
  return psnr(result[hole], truth[hole])
