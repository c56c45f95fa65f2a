"""The best match of patches by a search that leaves out what cannot be best."""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dipvid_jax.evaluation.exhaustive_search import Match
from dipvid_jax.evaluation.square_search import least_mean_square
from dipvid_jax.evaluation.ssim_search import largest_ssim
from flow.machine import cpu_count

_BATCH = 256  # patches that are cut out at a time


def match_by_search(
  cuts: Iterable[tuple[np.ndarray, np.ndarray]], *, radius: int
) -> Iterator[Match]:
  """Searches several patches at once, each on a CPU core of its own.

  Args:
    cuts, radius: as `match_everywhere` takes them.

  Yields:
    The match of each patch, as `search_patch` finds it.
  """
  cuts = iter(cuts)
  with ThreadPoolExecutor(cpu_count()) as pool:
    while batch := [*itertools.islice(cuts, _BATCH)]:
      yield from pool.map(lambda cut: search_patch(*cut, radius=radius), batch)


def search_patch(patch: np.ndarray, region: np.ndarray, *, radius: int) -> Match:
  """Finds the best of all places at which a patch lies within a region.

  Args:
    patch: `[3, n, n]` float32 in [0, 1].
    region: `[3, h, w]` float32 in [0, 1], h and w from n to n + 2 radius.
    radius: in pixels.

  Returns:
    The best value of each measure; both NaN if a pixel is.
  """
  if np.isnan(patch).any() or np.isnan(region).any():
    return Match(float("nan"), float("nan"))
  mean_square, place = least_mean_square(patch, region)
  return Match(mean_square, largest_ssim(patch, region, place, radius=radius))
