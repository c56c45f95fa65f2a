"""A mask of what stands still on the picture while the picture moves: a logo.

The gradient of a moving picture at one pixel changes its direction all the time. Where
a logo is drawn, opaque or half-transparent, part of the gradient is the logo's and is
there in every frame. The share of the gradient along its own median that nearly all
frames reach, its *presence*, is therefore positive on the edges of a logo and nowhere
else.

Reference: Dekel et al., On the Effectiveness of Visible Watermarks, CVPR 2017, which
takes the median of the gradients.
"""

from collections.abc import Callable

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import Rectangle
from dipvid_jax.media.discs import disc

_LEAST_FRAMES = 20  # of fewer, some gradients agree by chance
_MOST_FRAMES = 60  # spread over the clip
_BAND = 32  # rows at a time, for the memory
_REACH = 4  # rows around a band that blur and gradient read
_BLUR = 0.8  # pixels
_ABSENT = 0.15  # of the frames may hide an edge
_WEAK, _STRONG = 1.5, 3.0  # levels per pixel
_CLUTTER = 97  # percentile of the presence: a logo covers less of the picture
_LEAST_STRONG = 12  # pixels of the edges of a logo
_LEAST_OF_LARGEST = 0.15  # of the largest logo's edges; less is a stray edge
_LEAST_TEXTURE = 0.005  # of the picture has a gradient
# A logo is in one place, a still scene everywhere: of 12 x 12 tiles with detail, so
# many may be still. Within a rectangle that the user names, stray edges do less harm.
_TILES = 12
_LEAST_DETAIL = 0.05  # of a tile's pixels have a gradient
_STILL_TILE = 0.1  # of these are still
_MOST_STILL, _MOST_STILL_WITHIN = 0.2, 0.4


def find_logo(
  frames: np.ndarray,
  *,
  within: Rectangle | None = None,
  on_progress: Callable[[int], None] | None = None,
) -> np.ndarray:
  """Finds what stands still on a moving picture.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    within: where the logo is; None: anywhere.
    on_progress: called with the number of rows just searched, of H.

  Returns:
    `[H, W]` bool, True on the logo: its edges with about 2 pixels around them, and
    all that they enclose.

  Raises:
    InputError: there are too few frames, the camera stands still, so that nothing
      tells a logo from the scene, or there is no logo.
  """
  if len(frames) < _LEAST_FRAMES:
    raise InputError(
      f"--logo: needs {_LEAST_FRAMES} frames or more, got {len(frames)}; mark the logo"
      " with --box"
    )
  picked = np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int)
  presence, texture = _presence(frames[np.unique(picked)], on_progress)
  area = np.ones(presence.shape, bool)
  if within is not None:
    area[:] = False
    area[within.slices(presence.shape)] = True
  _check_motion(presence, texture, area)
  weak, strong = _thresholds(presence)
  edges = _logo_edges(np.where(area, presence, 0), weak=weak, strong=strong)
  if not edges.any():
    raise InputError(
      "--logo: nothing stands still while the picture moves; mark the logo with --box"
    )
  return _enclosed(edges)


def _presence(
  frames: np.ndarray, on_progress: Callable[[int], None] | None
) -> tuple[np.ndarray, np.ndarray]:
  """Presence and median strength of the gradients, `[H, W]`, in levels per pixel."""
  height = frames.shape[1]
  parts = []
  for top in range(0, height, _BAND):
    rows = min(_BAND, height - top)
    above = min(_REACH, top)
    band = frames[:, top - above : top + rows + _REACH]
    parts.append([part[above : above + rows] for part in _band_presence(band)])
    if on_progress:
      on_progress(rows)
  presence, texture = (np.concatenate(part) for part in zip(*parts, strict=True))
  return presence, texture


def _band_presence(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The same of `[T, rows, W, 3]`; the strongest channel counts."""
  smooth = [cv2.GaussianBlur(frame.astype(np.float32), (0, 0), _BLUR) for frame in band]
  dx, dy = (
    np.stack([cv2.Scharr(frame, cv2.CV_32F, *order) / 32 for frame in smooth])
    for order in ((1, 0), (0, 1))
  )
  texture = np.median(np.hypot(dx, dy).max(axis=-1), axis=0)
  median_dx, median_dy = np.median(dx, axis=0), np.median(dy, axis=0)
  length = np.maximum(np.hypot(median_dx, median_dy), 1e-6)
  along = (dx * median_dx + dy * median_dy) / length
  rank = int(_ABSENT * len(band))
  presence = np.partition(along, rank, axis=0)[rank]
  return presence.max(axis=-1), texture


def _check_motion(presence: np.ndarray, texture: np.ndarray, area: np.ndarray) -> None:
  """Checks that the picture moves, if possible where the logo is not."""
  textured = texture > _WEAK
  if textured.mean() < _LEAST_TEXTURE:
    raise InputError(
      "--logo: the picture has hardly any detail, so nothing shows whether it moves;"
      " mark the logo with --box"
    )
  limit = _MOST_STILL
  if not area.all():
    limit = _MOST_STILL_WITHIN
    if (outside := textured & ~area).mean() >= _LEAST_TEXTURE:
      textured = outside
  still = _still_share(presence, textured)
  if still > limit:
    remedy = "" if limit == _MOST_STILL_WITHIN else "--within around the logo, or "
    raise InputError(
      f"--logo: {still:.0%} of the picture stands still, so the camera does not"
      " move enough to tell a logo from the scene; choose other frames with"
      f" --range, or mark it with {remedy}--box"
    )


def _still_share(presence: np.ndarray, textured: np.ndarray) -> float:
  """The share of the tiles with detail in which some of it stands still, 0 to 1."""
  height, width = presence.shape
  rows, columns = (np.arange(side) * _TILES // side for side in (height, width))
  tile = rows[:, None] * _TILES + columns
  detail, still = (
    np.bincount(tile[pixels], minlength=_TILES**2)
    for pixels in (textured, textured & (presence > _WEAK))
  )
  detailed = detail >= _LEAST_DETAIL * height * width / _TILES**2
  return float((still > _STILL_TILE * detail)[detailed].mean()) if detailed.any() else 0


def _thresholds(presence: np.ndarray) -> tuple[float, float]:
  """The presence of an edge of a logo, and that of a certain one."""
  clutter = float(np.percentile(presence, _CLUTTER))
  return max(_WEAK, clutter), max(_STRONG, 2 * clutter)


def _logo_edges(presence: np.ndarray, *, weak: float, strong: float) -> np.ndarray:
  """Edges in groups that are certain and not small beside the largest, `[H, W]`."""
  edges = (presence > weak).astype(np.uint8)
  near = cv2.dilate(edges, disc(2 * _gap(presence.shape)))
  count, groups = cv2.connectedComponents(near)
  groups = np.where(edges, groups, 0)
  certain = np.bincount(groups[presence > strong], minlength=count)
  certain[0] = 0
  least = max(_LEAST_STRONG, _LEAST_OF_LARGEST * float(certain.max()))
  return np.asarray(certain >= least)[groups]


def _enclosed(edges: np.ndarray) -> np.ndarray:
  """Edges with their small gaps closed, and all that they enclose, `[H, W]` bool."""
  gap = _gap(edges.shape)
  padded = np.pad(edges.astype(np.uint8), gap)  # the picture's border is no edge
  closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc(gap))
  outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
  filled = cv2.drawContours(np.zeros_like(padded), outlines, -1, 1, cv2.FILLED)
  return filled[gap:-gap, gap:-gap].astype(bool)


def _gap(size: tuple[int, ...]) -> int:
  """The gap between two edges of one thing, in pixels, at most."""
  return max(2, round(min(size) / 80))
