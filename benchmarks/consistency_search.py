"""How long temporal consistency takes for a patch, and whether all ways agree.

  python -m benchmarks.simple_fills --set composed --output fills
  python -m benchmarks.consistency_search --set composed fills/telea fills/propagation

A patch of 50 x 50 is compared with 41 x 41 places of the next frame in four ways:
*place after place* in float64, the plain way; the *search*, which leaves out what
cannot be best, for a CPU, of one patch after another and of one on each core; and *all
places* at once, for an accelerator, here on JAX's default device, in batches of 16, the
last one filled up. Milliseconds of a patch are by the clock. The *ratio* is that of the
first way to the others, median and range; *apart* are the largest differences from it,
in dB and of SSIM.
"""

import argparse
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np

from benchmarks.report import markdown_table
from dipvid_jax.composed import read_composed
from dipvid_jax.evaluation.exhaustive_search import Match, match_everywhere
from dipvid_jax.evaluation.patch_search import match_by_search, search_patch
from dipvid_jax.evaluation.ssim_windows import C1, C2, window_weights
from dipvid_jax.evaluation.temporal_consistency import (
  PatchSearch,
  cut_patch,
  draw_corners,
)
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import iter_folder
from flow.machine import cpu_count

Cut = tuple[np.ndarray, np.ndarray]  # a patch [3, n, n] and its region [3, h, w]
_PAIRS = 3  # of frames, of each video
_SEARCH = PatchSearch(patches_per_pair=2)
_REPEATS = 3


def place_after_place(patch: np.ndarray, region: np.ndarray) -> Match:
  """Compares a patch with each place alone, in float64.

  Args:
    patch: `[3, n, n]`.
    region: `[3, h, w]`.
  """
  image, met = (np.moveaxis(array.astype(float), 0, -1) for array in (patch, region))
  size = len(image)
  mean, variance = _moments(image)
  squares, ssims = [], []
  for y, x in np.ndindex(len(met) - size + 1, met.shape[1] - size + 1):
    other = met[y : y + size, x : x + size]
    other_mean, other_variance = _moments(other)
    covariance = _window_means(image * other) - mean * other_mean
    luminance = (2 * mean * other_mean + C1) / (mean**2 + other_mean**2 + C1)
    structure = (2 * covariance + C2) / (variance + other_variance + C2)
    squares.append(np.mean((image - other) ** 2))
    ssims.append(np.mean(luminance * structure))
  return Match(min(squares), max(ssims))


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  mean = _window_means(image)
  return mean, _window_means(image**2) - mean**2


def _window_means(image: np.ndarray) -> np.ndarray:
  weights = window_weights().astype(float)
  edge = len(weights) // 2
  return cv2.sepFilter2D(image, -1, weights, weights)[edge:-edge, edge:-edge]


def measure(cuts: Sequence[Cut]) -> Iterator[dict[str, Any]]:
  """Measures all ways.

  Args:
    cuts: patches and regions.

  Yields:
    The figures of each way.
  """
  search = functools.partial(search_patch, radius=_SEARCH.radius)
  search(*cuts[0])  # compiles
  plain, plain_times = _time_each(place_after_place, cuts)
  yield _row("place after place, float64", plain, plain_times, plain, plain_times)
  yield _row("search", *_time_each(search, cuts), plain, plain_times)
  threads = f"search, {cpu_count()} patches at a time"
  yield _row(threads, *_time_all(match_by_search, cuts), plain, plain_times)
  at_once = f"all places at once, {jax.default_backend()}"
  yield _row(at_once, *_time_all(match_everywhere, cuts), plain, plain_times)


def _time_each(
  match: Callable[[np.ndarray, np.ndarray], Match], cuts: Sequence[Cut]
) -> tuple[list[Match], np.ndarray]:
  """Matches, and the least seconds of each patch."""
  matches, times = [], []
  for cut in cuts:
    runs = []
    for _ in range(_REPEATS):
      began = time.perf_counter()
      found = match(*cut)
      runs.append(time.perf_counter() - began)
    matches.append(found)
    times.append(min(runs))
  return matches, np.array(times)


def _time_all(
  match: Callable[..., Iterable[Match]], cuts: Sequence[Cut]
) -> tuple[list[Match], np.ndarray]:
  """Matches, and an equal share of the least seconds of all for each patch."""
  runs = []
  for _ in range(1 + _REPEATS):  # the first one compiles
    began = time.perf_counter()
    found = [*match(cuts, radius=_SEARCH.radius)]
    runs.append(time.perf_counter() - began)
  return found, np.full(len(cuts), min(runs[1:]) / len(cuts))


def _row(
  way: str,
  found: Iterable[Match],
  times: np.ndarray,
  plain: Iterable[Match],
  plain_times: np.ndarray,
) -> dict[str, Any]:
  squares, ssims = np.array([*found]).T
  plain_squares, plain_ssims = np.array([*plain]).T
  ratios = plain_times / times
  with np.errstate(divide="ignore", invalid="ignore"):
    decibels = 10 * np.abs(np.log10(squares) - np.log10(plain_squares))
  decibels[squares == plain_squares] = 0  # also where both are 0
  return {
    "way": way,
    "patches": len(squares),
    "median, ms": 1e3 * float(np.median(times)),
    "mean, ms": 1e3 * float(np.mean(times)),
    "ratio": float(np.median(ratios)),
    "range": f"{ratios.min():.0f}-{ratios.max():.0f}",
    "apart, dB": float(decibels.max()),
    "apart, SSIM": float(np.abs(ssims - plain_ssims).max()),
  }


def read_cuts(composed_set: str, results: Path) -> list[Cut]:
  """Draws patches of results.

  Args:
    composed_set: folder of a composed set.
    results: a folder of images for each of its videos.

  Returns:
    Patches and regions, float32 in [0, 1].
  """
  cuts = []
  for video_id in VideoSet(composed_set).places:
    hole = read_composed(composed_set, video_id).hole[..., 0] > 0
    frames = np.stack([*iter_folder(results / video_id)]).astype(np.float32) / 255
    for t in np.linspace(0, len(frames) - 2, _PAIRS).astype(int):
      corners = draw_corners(hole[t], int(t), search=_SEARCH)
      pair = frames[t], frames[t + 1]
      cuts += [cut_patch(*pair, corner, search=_SEARCH) for corner in corners]
  return cuts


def main(argv: list[str] | None = None) -> None:
  """Prints a table."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--set", required=True, metavar="DIR", help="a composed set")
  parser.add_argument("results", type=Path, nargs="+", metavar="DIR")
  options = parser.parse_args(argv)
  set_up_command()
  rows = [
    {"result": folder.name, **row}
    for folder in options.results
    for row in measure(read_cuts(options.set, folder))
  ]
  print(markdown_table(rows, {name: name for name in rows[0]}), end="")


if __name__ == "__main__":
  main()
