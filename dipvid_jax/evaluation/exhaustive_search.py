"""The best match of patches among all places, all of them at once.

For accelerators, which do much alike at once and are slow to decide. On a CPU the
search that leaves places out is faster.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dipvid_jax.evaluation.ssim_windows import C1, C2, moments, window_means

_BATCH = 16  # patches of a call, one after another
# Pixels that are compared at once, of all places of some rows; at the paper's sizes all
# rows. A few arrays of them are in memory at a time.
_ENTRIES = 2**24


class Match(NamedTuple):
  """The smallest mean squared error and the largest SSIM, possibly of two places."""

  mean_square: float
  ssim: float


def match_everywhere(
  cuts: Iterable[tuple[np.ndarray, np.ndarray]], *, radius: int
) -> Iterator[Match]:
  """Compares patches with all places at which they lie within their regions.

  Args:
    cuts: patches `[3, n, n]`, all of one size of at least 11, and their regions
      `[3, h, w]`, h and w from n to n + 2 radius; float32 in [0, 1].
    radius: in pixels.

  Yields:
    The match of each patch; SSIM is Wang et al.'s, averaged over channels and windows.
    Both are NaN if a pixel is.
  """
  cuts = iter(cuts)
  while batch := [*itertools.islice(cuts, _BATCH)]:
    size = batch[0][0].shape[-1]
    # The last batch is filled up, so that one program fits all.
    pixels = np.zeros((_BATCH, 3, size, size), np.float32)
    met = np.zeros((_BATCH, 3, size + 2 * radius, size + 2 * radius), np.float32)
    places = np.ones((_BATCH, 2), np.int32)
    for i, (patch, region) in enumerate(batch):
      height, width = region.shape[1:]
      pixels[i], met[i, :, :height, :width] = patch, region
      places[i] = height - size + 1, width - size + 1
    found = np.stack(_match_batch(pixels, met, places), axis=1)
    yield from (Match(*values) for values in found[: len(batch)].tolist())


@jax.jit
def _match_batch(
  patches: jax.Array, regions: jax.Array, places: jax.Array
) -> tuple[jax.Array, jax.Array]:
  return lax.map(lambda one: _match(*one), (patches, regions, places))


def _match(
  patch: jax.Array, region: jax.Array, places: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """One patch: places at and beyond `places` (rows, columns) are not compared."""
  squares, ssims = _compare(patch, region)
  rows, columns = (
    lax.broadcasted_iota(jnp.int32, squares.shape, axis) < places[axis]
    for axis in (0, 1)
  )
  return (
    jnp.min(squares, where=rows & columns, initial=jnp.inf),
    jnp.max(ssims, where=rows & columns, initial=-jnp.inf),
  )


def _compare(patch: jax.Array, region: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean squared error and SSIM at each place `[y, x]`."""
  # float32 loses the moments of bright, flat content unless it is centred.
  centre = jnp.mean(patch, axis=(1, 2), keepdims=True)
  means, variances = moments(patch, centre)
  met_moments = moments(region, centre)

  def compare(y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    pixels = lax.dynamic_slice(region, (0, y, x), patch.shape)
    met_means, met_variances = (
      lax.dynamic_slice(moment, (0, y, x), means.shape) for moment in met_moments
    )
    products = window_means(pixels * (patch - centre))
    covariances = products - met_means * (means - centre)
    luminance = (2 * means * met_means + C1) / (means**2 + met_means**2 + C1)
    structure = (2 * covariances + C2) / (variances + met_variances + C2)
    return jnp.mean((pixels - patch) ** 2), jnp.mean(luminance * structure)

  sides = zip(region.shape[1:], patch.shape[1:], strict=True)
  rows, columns = (jnp.arange(side - size + 1) for side, size in sides)
  at_once = min(len(rows), max(1, _ENTRIES // (len(columns) * patch.size)))
  across = jax.vmap(compare, in_axes=(None, 0))
  return lax.map(lambda y: across(y, columns), rows, batch_size=at_once)
