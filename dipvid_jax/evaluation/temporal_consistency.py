"""How well the content of the hole is found again in the next frame."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np
from scipy import fft

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import WINDOW, Quality, check_sides
from dipvid_jax.evaluation.ssim_search import largest_ssim

_ROUNDING = 1e-13  # of a mean square from correlations in float64


@dataclasses.dataclass(frozen=True)
class PatchSearch:
  """Settings of `temporal_consistency`. The paper gives the first two.

  Attributes:
    patch: side of a patch, in pixels.
    radius: how far a patch may move between two frames, in pixels along each axis.
    patches_per_pair: patches drawn for each pair of frames.
    seed: of the draw. Pair t draws from (seed, t) and from the masks alone, so all
      methods are measured at the same places.
  """

  patch: int = 50
  radius: int = 20
  patches_per_pair: int = 10
  seed: int = 0

  def __post_init__(self) -> None:
    """Raises an InputError for settings that measure nothing."""
    if self.patch < WINDOW or self.radius < 0 or self.patches_per_pair < 1:
      raise InputError(
        f"temporal consistency needs patches of at least {WINDOW} px, a radius of at "
        f"least 0 and at least one patch per pair, got {self.patch}, {self.radius} and "
        f"{self.patches_per_pair}"
      )
    if self.seed < 0:
      raise InputError(f"temporal consistency: seed {self.seed} is negative")


class Match(NamedTuple):
  """The smallest mean squared error and the largest SSIM, possibly of two places."""

  mean_square: float
  ssim: float


def temporal_consistency(
  result: np.ndarray, hole_masks: np.ndarray, *, search: PatchSearch | None = None
) -> Quality:
  """PSNR and SSIM of patches in the hole against their best match in the next frame.

  A patch's centre is a hole pixel of frame t, drawn uniformly; near the frame's edge
  the patch is moved inwards until it fits. Candidates are all patches of frame t + 1
  that lie within the frame and at most `radius` pixels away along each axis. SSIM is
  Wang et al.'s, averaged over the channels and the 11 x 11 Gaussian windows inside the
  patch; its best match is searched separately. Both are averaged over all patches.

  Args:
    result: `[T, H, W, 3]` float in [0, 1].
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.
    search: settings; None takes the defaults.

  Returns:
    The means. PSNR is infinite if a patch is found again exactly; both are NaN if no
    frame before the last has a hole.

  Raises:
    InputError: a patch does not fit the frame.

  Reference: Zhang et al., ICCV 2019, section 4.1, after Gupta et al., ICCV 2017.
  """
  search = search or PatchSearch()
  result, holes = np.asarray(result, np.float32), np.asarray(hole_masks)[..., 0] > 0
  check_sides("temporal", result.shape, search.patch)
  matches = [
    best_match(result[t], result[t + 1], corner, search=search)
    for t in range(len(result) - 1)
    for corner in draw_corners(holes[t], t, search=search)
  ]
  if not matches:
    return Quality(float("nan"), float("nan"))
  with np.errstate(divide="ignore"):
    psnrs = -10 * np.log10([match.mean_square for match in matches])
  return Quality(float(np.mean(psnrs)), float(np.mean([m.ssim for m in matches])))


def draw_corners(
  hole: np.ndarray, pair: int, *, search: PatchSearch
) -> list[tuple[int, int]]:
  """Draws patches around hole pixels.

  Args:
    hole: `[H, W]` bool.
    pair: index of its first frame.
    search: settings.

  Returns:
    (top, left) of each patch; empty without a hole.
  """
  pixels = np.argwhere(hole)
  if not len(pixels):
    return []
  generator = np.random.default_rng((search.seed, pair))
  centres = pixels[generator.integers(len(pixels), size=search.patches_per_pair)]
  corners = np.clip(centres - search.patch // 2, 0, np.array(hole.shape) - search.patch)
  return [(int(top), int(left)) for top, left in corners]


def best_match(
  frame: np.ndarray,
  next_frame: np.ndarray,
  corner: tuple[int, int],
  *,
  search: PatchSearch,
) -> Match:
  """Finds a patch again among all places of the next frame within the radius.

  Args:
    frame, next_frame: `[H, W, 3]` float32 in [0, 1].
    corner: (top, left) of the patch.
    search: settings.

  Returns:
    The best value of each measure.
  """
  (top, left), size = corner, search.patch
  patch = _channels_first(frame[top : top + size, left : left + size])
  first_row, first_column = max(0, top - search.radius), max(0, left - search.radius)
  last_row, last_column = (start + search.radius + size for start in corner)
  region = _channels_first(next_frame[first_row:last_row, first_column:last_column])
  mean_square, place = _least_mean_square(patch, region)
  return Match(mean_square, largest_ssim(patch, region, place))


def _channels_first(image: np.ndarray) -> np.ndarray:
  return np.ascontiguousarray(image.transpose(2, 0, 1))


def _least_mean_square(
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
