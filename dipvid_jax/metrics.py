"""How good a result is. Images are RGB in [0, 1]; PSNR is in decibels."""

import numpy as np


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
  """
  result, truth, hole_masks = map(np.asarray, (result, truth, hole_masks))
  if result.shape != truth.shape or hole_masks.shape != (*truth.shape[:-1], 1):
    raise ValueError(
      f"hole_psnr needs results and truth of one shape and masks [.., 1], got "
      f"{result.shape}, {truth.shape} and {hole_masks.shape}"
    )
  hole = hole_masks[..., 0] > 0
  if not hole.any():
    raise ValueError("hole_psnr: no pixel is in the hole")
  error = np.mean(np.square(result[hole].astype(np.float64) - truth[hole]))
  return float("inf") if error == 0 else float(-10 * np.log10(error))
