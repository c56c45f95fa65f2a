"""How well the content of the hole is found again in the next frame."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import WINDOW, Quality, check_sides

_C1, _C2 = 0.01**2, 0.03**2
_SIGMA = 1.5


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
  """Compares a patch with every place of the next frame within the radius.

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
  candidates = _windows(region, size)
  patch_means, patch_variances = _moments(patch)
  means, variances = (_windows(m, size - WINDOW + 1) for m in _moments(region))
  squares, ssims = [], []
  for rows, row_means, row_variances in zip(candidates, means, variances, strict=True):
    error = rows - patch
    squares.append(np.einsum("xcij,xcij->x", error, error).min() / patch.size)
    product = patch_means * row_means
    covariance = _blur(rows * patch) - product
    ssim = (2 * product + _C1) * (2 * covariance + _C2)
    ssim /= patch_means**2 + row_means**2 + _C1
    ssim /= patch_variances + row_variances + _C2
    ssims.append(ssim.mean(axis=(1, 2, 3)).max())
  return Match(float(min(squares)), float(max(ssims)))


def _channels_first(image: np.ndarray) -> np.ndarray:
  return np.ascontiguousarray(image.transpose(2, 0, 1))


def _windows(image: np.ndarray, size: int) -> np.ndarray:
  """Views `[y, x, 3, size, size]` of every place in `[3, h, w]`."""
  views = sliding_window_view(image, (size, size), axis=(1, 2))
  return views.transpose(1, 2, 0, 3, 4)


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Means and variances `[3, h - 10, w - 10]` in the windows of `[3, h, w]`."""
  means = _blur(image)
  return means, _blur(image**2) - means**2


def _blur(images: np.ndarray) -> np.ndarray:
  """Gaussian means over the windows inside `[..., h, w]`.

  One small matrix product per image: BLAS spreads large ones over threads, which is
  slow on a busy machine.
  """
  height, width = images.shape[-2:]
  return _window_matrix(height) @ images @ _window_matrix(width).T


@functools.cache
def _window_matrix(length: int) -> np.ndarray:
  offsets = np.arange(WINDOW) - WINDOW // 2
  weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
  matrix = np.zeros((length - WINDOW + 1, length), np.float32)
  for i, row in enumerate(matrix):
    row[i : i + WINDOW] = weights / weights.sum()
  return matrix
