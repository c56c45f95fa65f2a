"""The least squared error of a patch at all places of a region, by one correlation."""

import cv2
import numpy as np
from scipy import fft

_ROUNDING = 1e-13  # of a mean square from correlations in float64


def least_mean_square(
  patch: np.ndarray, region: np.ndarray
) -> tuple[float, tuple[int, int]]:
  """Searches all places at which the patch lies within the region.

  One correlation shows which places are best to within rounding; these are compared
  pixel by pixel, so that an exact match gives 0.

  Args:
    patch: `[3, n, n]` float32.
    region: `[3, h, w]` float32.

  Returns:
    The least mean squared error, and the (y, x) of its place.
  """
  patch, region = patch.astype(np.float64), region.astype(np.float64)
  size = patch.shape[-1]
  sums = cv2.integral((region**2).sum(axis=0))
  squares = sums[size:, size:] - sums[size:, :-size] - sums[:-size, size:]
  squares += sums[:-size, :-size] + (patch**2).sum() - 2 * _correlate(region, patch)
  worse = squares > squares.min() + _ROUNDING * patch.size
  found = []
  for y, x in np.argwhere(~worse):
    error = region[:, y : y + size, x : x + size] - patch
    found.append((float(np.mean(error**2)), (int(y), int(x))))
    if not found[-1][0]:
      break
  return min(found)


def _correlate(region: np.ndarray, patch: np.ndarray) -> np.ndarray:
  """Sums of products of `[3, h, w]` and `[3, n, n]` at every place `[y, x]`."""
  sides, size = region.shape[1:], patch.shape[-1]
  shape = [fft.next_fast_len(side, real=True) for side in sides]
  spectrum = fft.rfft2(region, shape) * np.conj(fft.rfft2(patch, shape))
  rows, columns = (side - size + 1 for side in sides)
  return fft.irfft2(spectrum.sum(axis=0), shape)[:rows, :columns]
