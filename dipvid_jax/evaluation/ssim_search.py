"""The largest SSIM of a patch at all places of a region, without computing all of it.

SSIM is the mean over windows of at most 1 each, so a window's loss, 1 minus its SSIM,
is never negative. Windows are evaluated at all places, a line of them after another.
Where the losses so far exceed those of the best place known, no further window can
help, and the search shrinks to the box around the places that are left. The result is
that of an exhaustive search to within `_NEGLIGIBLE` and the rounding of float32.
"""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dipvid_jax.evaluation.frame_quality import WINDOW
from dipvid_jax.evaluation.ssim_windows import C1, C2, window_matrix, window_weights

_NEGLIGIBLE = 1e-6  # a gain of SSIM that is not worth a search
_FEW = 32  # places of which all windows are evaluated, _BATCH places at a time
_BATCH = 8
_ENTRIES = 2200  # of the matrices of a step: temporary arrays stay in the cache


def largest_ssim(
  patch: np.ndarray, region: np.ndarray, likely: tuple[int, int]
) -> float:
  """Searches all places at which the patch lies within the region.

  Args:
    patch: `[3, n, n]` float32 in [0, 1], n at least 11.
    region: `[3, h, w]` float32 in [0, 1].
    likely: (y, x) of a place that is probably good. The better it is, the less there is
      to compute.

  Returns:
    Wang et al.'s SSIM at the best place, averaged over channels and windows.
  """
  windows = _Windows(patch, region)
  best = float(windows.ssim(*np.array([likely]).T)[0])
  losses = np.zeros(windows.places, np.float32)
  top = left = done = 0
  lines = windows.lines()
  while True:
    bearable = windows.count * (1 - best - _NEGLIGIBLE)
    alive = losses <= bearable
    if done == len(lines) or alive.sum() <= _FEW:
      break
    rows, columns = (np.flatnonzero(alive.any(axis)) for axis in (1, 0))
    losses = losses[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = top + rows[0], left + columns[0]
    height, width = losses.shape
    count = max(1, _ENTRIES // (height * max(width, height + WINDOW)))
    step = lines[done : done + count]
    losses = losses + windows.losses(step, (top, left), losses.shape)
    done += len(step)
  if done == len(lines):
    return max(best, 1 - float(losses.min()) / windows.count)
  places = np.argwhere(alive)
  places = places[np.argsort(losses[alive])] + (top, left)
  for first in range(0, len(places), _BATCH):
    best = max(best, float(windows.ssim(*places[first : first + _BATCH].T).max()))
  return best


class _Windows:
  """The windows of a patch against those that they meet at each place of a region.

  All matrix products are small ones: BLAS spreads large ones over threads, which is
  slow on a busy machine.

  Attributes:
    places: numbers of rows and columns of places.
    count: number of windows, over all channels.
  """

  def __init__(self, patch: np.ndarray, region: np.ndarray) -> None:
    size = patch.shape[-1]
    rows, columns = (side - size + 1 for side in region.shape[1:])
    self.places = rows, columns
    self._means, self._variances = _moments(patch)
    self.count = self._means.size
    # float32 loses the covariance of bright, flat content unless a factor is centred.
    centre = patch.mean(axis=(1, 2), keepdims=True)
    self._centred, self._centred_means = patch - centre, self._means - centre
    self._blur = window_matrix(size)
    # [3, line, column, WINDOW]: the pixels of a line's windows, weighted by row.
    self._weighted = (
      sliding_window_view(self._centred, WINDOW, axis=1) * window_weights()
    )
    # [3, line, column, y, x]: the pixels that a line meets at place (y, x).
    self._met = _views(region, (rows + WINDOW - 1, columns))
    # [3, line, y, column, x]: the moments that it meets there.
    self._met_means, self._met_variances = (
      _views(moments, (rows, columns)).transpose(0, 1, 3, 2, 4)
      for moments in _moments(region)
    )
    # [y, x, 3, n, n]: the pixels at place (y, x).
    self._pixels = _views(region, (size, size)).transpose(1, 2, 0, 3, 4)

  def lines(self) -> np.ndarray:
    """(channel, row) of each line of windows `[k, 2]`, the most structured first.

    Flat windows lose little wherever they lie.
    """
    variances = self._variances.sum(axis=-1)
    order = np.argsort(-variances, axis=None)
    return np.stack(np.unravel_index(order, variances.shape), axis=-1)

  def ssim(self, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """The mean over all windows at each of k places `[k]`."""
    products = self._blur @ (self._pixels[ys, xs] * self._centred) @ self._blur.T
    means, variances = (
      met.transpose(2, 4, 0, 1, 3)[ys, xs]
      for met in (self._met_means, self._met_variances)
    )
    moments = self._means, self._centred_means, self._variances
    values = _ssim(products, means, variances, *moments)
    return values.mean(axis=(1, 2, 3))

  def losses(
    self, lines: np.ndarray, corner: tuple[int, int], shape: tuple[int, int]
  ) -> np.ndarray:
    """The loss, summed over the windows of some lines, in a box of places `shape`."""
    channels, rows = lines.T
    down, across = (slice(at, at + n) for at, n in zip(corner, shape, strict=True))
    products = self._products(channels, rows, corner, shape)
    met_means, met_variances = (
      met[:, :, down, :, across][channels, rows]
      for met in (self._met_means, self._met_variances)
    )
    moments = [
      moment[channels, rows][:, None, :, None]
      for moment in (self._means, self._centred_means, self._variances)
    ]
    values = _ssim(products, met_means, met_variances, *moments)
    by_line = np.ones(values.shape[2], np.float32) @ values
    return len(lines) * values.shape[2] - by_line.sum(axis=0)

  def _products(
    self,
    channels: np.ndarray,
    rows: np.ndarray,
    corner: tuple[int, int],
    shape: tuple[int, int],
  ) -> np.ndarray:
    """Weighted means `[k, y, column, x]` of products in the windows of k lines.

    For each column of the patch, the sum over a window's rows at all places is a matrix
    product: of its weighted pixels, moved down by one for each row of places, and of
    the region's pixels, moved left by one for each column of places.
    """
    weighted = self._weighted[channels, rows]
    (top, left), (height, width), reach = corner, shape, shape[0] + WINDOW - 1
    # Rows that are one longer than needed move by one when they are cut.
    moved = np.zeros((*weighted.shape[:2], height, reach + 1), np.float32)
    moved[..., :WINDOW] = weighted[:, :, None]
    moved = moved.reshape(*weighted.shape[:2], -1)[..., : height * reach]
    moved = moved.reshape(*weighted.shape[:2], height, reach)
    met = self._met[..., top : top + reach, left : left + width]
    columns = np.empty((*weighted.shape[:2], *shape), np.float32)
    for out, *line in zip(columns, moved, channels, rows, strict=True):
      factor, channel, row = line
      np.matmul(factor, met[channel, row], out=out)
    return self._blur @ columns.transpose(0, 2, 1, 3)


def _ssim(
  products: np.ndarray,
  met_means: np.ndarray,
  met_variances: np.ndarray,
  means: np.ndarray,
  centred_means: np.ndarray,
  variances: np.ndarray,
) -> np.ndarray:
  """SSIM of windows; overwrites the first three, which are large.

  Args:
    products: weighted means of the centred patch times what it meets.
    met_means, met_variances: of what the windows meet.
    means, centred_means, variances: of the patch, and of the centred patch.
  """
  values = met_means * centred_means
  products -= values
  products *= 2
  products += C2
  np.multiply(met_means, 2 * means, out=values)
  values += C1
  values *= products
  met_means *= met_means
  met_means += means**2 + C1
  met_variances += variances + C2
  met_means *= met_variances
  values /= met_means
  return values


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Means and variances `[3, h - 10, w - 10]` in the windows of `[3, h, w]`."""
  centre = image.mean(axis=(1, 2), keepdims=True)
  means = _window_means(image - centre)
  return means + centre, _window_means((image - centre) ** 2) - means**2


def _window_means(image: np.ndarray) -> np.ndarray:
  weights, edge = window_weights(), WINDOW // 2
  blurred = [cv2.sepFilter2D(channel, -1, weights, weights) for channel in image]
  return np.stack(blurred)[:, edge:-edge, edge:-edge]


def _views(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Views `[3, y, x, *shape]` of `[3, h, w]`."""
  return sliding_window_view(image, shape, axis=(1, 2))
