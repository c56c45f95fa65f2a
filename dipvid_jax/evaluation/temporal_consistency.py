"""How well the content of the hole is found again in the next frame."""

import dataclasses
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.exhaustive_search import Match, match_everywhere
from dipvid_jax.evaluation.frame_quality import WINDOW, Quality, check_sides
from dipvid_jax.evaluation.patch_search import match_by_search


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
  cuts = (
    cut_patch(result[t], result[t + 1], corner, search=search)
    for t in range(len(result) - 1)
    for corner in draw_corners(holes[t], t, search=search)
  )
  matches = [*_best_matches(cuts, search=search)]
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


def _best_matches(
  cuts: Iterable[tuple[np.ndarray, np.ndarray]], *, search: PatchSearch
) -> Iterator[Match]:
  """Matches patches and regions, on an accelerator if JAX has one."""
  if jax.default_backend() == "cpu":
    return match_by_search(cuts, radius=search.radius)
  return match_everywhere(cuts, radius=search.radius)


def cut_patch(
  frame: np.ndarray,
  next_frame: np.ndarray,
  corner: tuple[int, int],
  *,
  search: PatchSearch,
) -> tuple[np.ndarray, np.ndarray]:
  """Cuts out what a search compares.

  Args:
    frame, next_frame: `[H, W, 3]` float32.
    corner: (top, left) of the patch.
    search: settings.

  Returns:
    The patch `[3, n, n]`, and the region `[3, h, w]` of the next frame that all its
    candidates lie in.
  """
  (top, left), size = corner, search.patch
  patch = _channels_first(frame[top : top + size, left : left + size])
  first_row, first_column = max(0, top - search.radius), max(0, left - search.radius)
  last_row, last_column = (start + search.radius + size for start in corner)
  region = _channels_first(next_frame[first_row:last_row, first_column:last_column])
  return patch, region


def _channels_first(image: np.ndarray) -> np.ndarray:
  return np.ascontiguousarray(image.transpose(2, 0, 1))
