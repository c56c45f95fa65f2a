"""The largest SSIM of a patch at all places of a region, without computing all of it.

SSIM is the mean over windows of at most 1 each, so a window's loss, 1 minus its SSIM,
is never negative. The columns of places are searched one after another, those near a
likely place first, and in a column one line of windows after another. Once the losses
of every place of a column exceed those of the best place known, the column is left.
The result is that of an exhaustive search to within `_NEGLIGIBLE` and the rounding of
float32.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dipvid_jax.evaluation.ssim_windows import C1, C2, moments, window_weights

_NEGLIGIBLE = 1e-6  # a gain of SSIM that is not worth a search
_LINES = 2  # of windows that are evaluated before the losses are looked at
# A search is too small to be shared by threads; they may search several patches.
_ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}


def largest_ssim(
  patch: np.ndarray, region: np.ndarray, likely: tuple[int, int], *, radius: int
) -> float:
  """Searches all places at which the patch lies within the region, on the CPU.

  Args:
    patch: `[3, n, n]` float32 in [0, 1], n at least 11.
    region: `[3, h, w]` float32 in [0, 1], h and w from n to n + 2 radius.
    likely: (y, x) of a place that is probably good. The better it is, the less there is
      to compute.
    radius: in pixels. One program serves all regions of a radius.

  Returns:
    Wang et al.'s SSIM at the best place, averaged over channels and windows.
  """
  size, (height, width) = patch.shape[-1], region.shape[1:]
  met = np.zeros((3, size + 2 * radius, size + 2 * radius), np.float32)
  met[:, :height, :width] = region
  places = np.array([height - size + 1, width - size + 1], np.int32)
  with jax.default_device(jax.local_devices(backend="cpu")[0]):
    return float(_largest_ssim(patch, met, places, np.int32(likely[1])))


@functools.partial(jax.jit, compiler_options=_ONE_THREAD)
def _largest_ssim(
  patch: jax.Array, region: jax.Array, places: jax.Array, likely: jax.Array
) -> jax.Array:
  """Places at and beyond `places` (rows, columns) are not compared."""
  windows = _Windows(patch, region)
  lines = windows.lines()

  def search(x: jax.Array, least: jax.Array) -> jax.Array:
    bearable = least - windows.count * _NEGLIGIBLE

    def add_line(i: jax.Array, losses: jax.Array) -> jax.Array:
      return losses + windows.losses(lines[i], x)

    def may_be_best(state: tuple[jax.Array, jax.Array]) -> jax.Array:
      done, losses = state
      return (done < len(lines)) & (losses.min() < bearable)

    def go_on(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
      done, losses = state
      until = jnp.minimum(done + _LINES, len(lines))
      return until, lax.fori_loop(done, until, add_line, losses)

    compared = (jnp.arange(windows.side) < places[0]) & (x < places[1])
    losses = jnp.where(compared, 0, jnp.inf)
    done, losses = lax.while_loop(may_be_best, go_on, (jnp.int32(0), losses))
    return jnp.where(done < len(lines), least, jnp.minimum(least, losses.min()))

  order = jnp.argsort(jnp.abs(jnp.arange(windows.side) - likely))
  least = lax.fori_loop(
    0, windows.side, lambda i, least: search(order[i], least), jnp.float32(jnp.inf)
  )
  return 1 - least / windows.count


class _Windows:
  """The windows of a patch against those that they meet at each place of a region.

  All arrays are stored column after column, `[3, x, y]`: what a line of windows meets
  at all places of a column is then a slice, and SIMD runs over places.

  Attributes:
    count: number of windows, over all channels.
    side: number of columns of places, and of places in a column.
  """

  def __init__(self, patch: jax.Array, region: jax.Array) -> None:
    # float32 loses the covariance of bright, flat content unless a factor is centred.
    centre = jnp.mean(patch, axis=(1, 2), keepdims=True)
    patch, self._met = patch.mT, region.mT
    self._centred = patch - centre
    self._means, self._variances = moments(patch, centre)
    self._centred_means = self._means - centre
    self._met_means, self._met_variances = moments(self._met, centre)
    self.side = region.shape[1] - patch.shape[1] + 1
    self.count = self._means.size

  def lines(self) -> jax.Array:
    """(channel, row) of each line of windows `[k, 2]`, the most structured first.

    Flat windows lose little wherever they lie.
    """
    variances = self._variances.sum(axis=1)
    order = jnp.argsort(variances, axis=None, descending=True)
    return jnp.stack(jnp.divmod(order, variances.shape[1]), axis=-1)

  def losses(self, line: jax.Array, x: jax.Array) -> jax.Array:
    """The loss, summed over a line of windows, at each place `[y]` of a column."""
    channel, row = line
    size, count = self._centred.shape[1], self._means.shape[1]

    def own(image: jax.Array, row: jax.Array = row) -> jax.Array:
      return lax.dynamic_slice(image, (channel, 0, row), (1, image.shape[1], 1))[0]

    def met(image: jax.Array, columns: int, row: jax.Array = row) -> jax.Array:
      shape = 1, columns, self.side
      return lax.dynamic_slice(image, (channel, x, row), shape)[0]

    def down() -> jax.Array:
      return sum(
        weight * own(self._centred, row + k) * met(self._met, size, row + k)
        for k, weight in enumerate(window_weights())
      )

    # Without a condition that it cannot decide, XLA computes each of these sums again
    # for every window that it is part of.
    sums = lax.cond(x >= 0, down, lambda: jnp.zeros((size, self.side)))
    products = sum(w * sums[k : k + count] for k, w in enumerate(window_weights()))
    means, variances = own(self._means), own(self._variances)
    met_means = met(self._met_means, count)
    met_variances = met(self._met_variances, count)
    covariances = products - met_means * own(self._centred_means)
    values = (2 * means * met_means + C1) * (2 * covariances + C2)
    values /= (means**2 + met_means**2 + C1) * (variances + met_variances + C2)
    return count - jnp.ones(count) @ values
