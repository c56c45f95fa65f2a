"""The strokes of a line of text, where they can be told from what is behind them."""

import cv2
import numpy as np

from dipvid_jax.media.discs import disc

_STROKE = 0.35  # of a line's height is wider than any stroke
_SEED, _NEAR = 0.5, 0.25  # of the strongest contrast
_LEAST_CONTRAST = 25  # levels
_MOST_SPREAD = 30  # levels between the seeds of one colour and their median
_SAME_COLOUR = 60  # levels, for pixels beside them
_SHARES = (0.05, 0.6)  # of the line that its strokes can cover
# Of a line's height: a comma and a space, but no letter; and the margin at its ends.
_LONGEST_GAP, _LONGEST_END = 0.52, 0.35
_GROWTH = 0.12  # of a line's height: soft edge, outline and shadow


def line_mask(picture: np.ndarray, corners: np.ndarray) -> np.ndarray:
  """A mask of a line of text: its strokes with their surroundings, or all of it.

  Args:
    picture: `[H, W, 3]` uint8 RGB.
    corners: of the line, a rectangle, `[4, 2]` float (x, y) in pixels.

  Returns:
    `[H, W]` bool.
  """
  mask = _filled(corners, picture.shape[:2])
  rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
  if not len(rows):
    return mask > 0
  part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
  strokes = find_strokes(picture[part], corners - (columns[0], rows[0]))
  if strokes is not None:
    mask[:] = 0
    mask[part] = strokes
    radius = max(2, round(_GROWTH * _height(corners)))
    return np.asarray(cv2.dilate(mask, disc(radius)) > 0)
  return mask > 0


def find_strokes(picture: np.ndarray, corners: np.ndarray) -> np.ndarray | None:
  """Finds strokes of one colour that stand out from both of their sides.

  Args:
    picture: `[h, w, 3]` uint8 RGB, the part around a line.
    corners: of the line, a rectangle, `[4, 2]` float (x, y) in pixels.

  Returns:
    `[h, w]` bool; None where there are no such strokes along the whole line.
  """
  inside, height = _filled(corners, picture.shape[:2]) > 0, _height(corners)
  grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
  element = disc(max(1, round(_STROKE * height / 2)))
  # Bright strokes and dark ones; the weaker are an outline, a shadow, or what letters
  # enclose.
  hats = [
    np.asarray(cv2.morphologyEx(grey, way, element))
    for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)
  ]
  weaker, stronger = sorted(hats, key=lambda hat: float(hat[inside].mean()))
  strokes = _of_one_colour(picture, inside, stronger)
  if strokes is None or not _reach_along(strokes, corners, height):
    return None
  others = _of_one_colour(picture, inside, weaker)
  return strokes if others is None else strokes | others


def _of_one_colour(
  picture: np.ndarray, inside: np.ndarray, contrast: np.ndarray
) -> np.ndarray | None:
  """Pixels of contrast and of its colour; None if they are not as strokes are."""
  strongest = float(np.percentile(contrast[inside], 95))
  if strongest < _LEAST_CONTRAST:
    return None
  seeds = inside & (contrast > _SEED * strongest)
  colour = np.median(picture[seeds], axis=0)
  away = np.abs(picture - colour).max(axis=-1)
  if np.median(away[seeds]) > _MOST_SPREAD:
    return None
  strokes = inside & (contrast > _NEAR * strongest) & (away < _SAME_COLOUR)
  return strokes if _SHARES[0] <= strokes.sum() / inside.sum() <= _SHARES[1] else None


def _reach_along(strokes: np.ndarray, corners: np.ndarray, height: float) -> bool:
  """Whether there are strokes along the whole line, with gaps as between words."""
  sides = np.diff(corners[:3], axis=0)
  lengths = np.linalg.norm(sides, axis=1)
  longer = int(lengths.argmax())
  direction = sides[longer] / lengths[longer]
  y, x = np.nonzero(strokes)
  along = np.sort((np.stack([x, y], axis=-1) - corners[longer]) @ direction)
  # A line that the picture's border cuts ends there.
  borders = (np.array([[0, 0], strokes.shape[::-1]]) - corners[longer]) @ direction
  first, last = max(borders.min(), 0), min(borders.max(), lengths[longer])
  ends = max(along[0] - first, last - along[-1])
  gap = np.diff(along).max(initial=0)
  return bool(gap <= _LONGEST_GAP * height and ends <= _LONGEST_END * height)


def _height(corners: np.ndarray) -> float:
  """The shorter side of a line, in pixels."""
  return float(np.linalg.norm(np.diff(corners[:3], axis=0), axis=1).min())


def _filled(corners: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
  """The line, `[H, W]` uint8, 1 inside."""
  mask = np.zeros(size[:2], np.uint8)
  cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
  return mask
