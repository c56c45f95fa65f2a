"""The strokes of a line of text, where they can be told from what is behind them."""

import cv2
import numpy as np

_STROKE = 0.35  # of a line's height is wider than any stroke
_SEED, _NEAR = 0.5, 0.25  # of the strongest contrast
_LEAST_CONTRAST = 25  # levels
_MOST_SPREAD = 30  # levels between the seeds of one colour and their median
_SAME_COLOUR = 60  # levels, for pixels beside them
_SHARES = (0.05, 0.6)  # of the line that its strokes can cover
_LONGEST_GAP = 1.0  # heights of a line between two strokes
_GROWTH = 0.12  # of a line's height: soft edge, outline and shadow


def line_mask(picture: np.ndarray, corners: np.ndarray) -> np.ndarray:
  """A mask of a line of text: its strokes with their surroundings, or all of it.

  Args:
    picture: `[H, W, 3]` uint8 RGB.
    corners: of the line, `[4, 2]` float (x, y) in pixels.

  Returns:
    `[H, W]` bool.
  """
  mask = np.zeros(picture.shape[:2], np.uint8)
  cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
  rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
  if not len(rows):
    return mask.astype(bool)
  part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
  sides = np.linalg.norm(np.diff(corners[:3], axis=0), axis=1)
  strokes = find_strokes(picture[part], mask[part] > 0, height=float(sides.min()))
  if strokes is not None:
    radius = max(2, round(_GROWTH * float(sides.min())))
    mask[:] = 0
    mask[part] = strokes
    return np.asarray(cv2.dilate(mask, _disc(radius)) > 0)
  return mask > 0


def find_strokes(
  picture: np.ndarray, inside: np.ndarray, *, height: float
) -> np.ndarray | None:
  """Finds strokes of one colour that stand out from both of their sides.

  Args:
    picture: `[h, w, 3]` uint8 RGB, the part around a line.
    inside: `[h, w]` bool, the line.
    height: of the line, in pixels.

  Returns:
    `[h, w]` bool; None where there are no such strokes along the whole line.
  """
  grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
  bright, dark = (
    cv2.morphologyEx(grey, way, _disc(max(1, round(_STROKE * height / 2))))
    for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)
  )
  strengths = [np.percentile(hat[inside], 95) for hat in (bright, dark)]
  contrast = dark if strengths[1] > 1.5 * strengths[0] else bright
  strongest = float(np.percentile(contrast[inside], 95))
  if strongest < _LEAST_CONTRAST:
    return None
  seeds = inside & (contrast > _SEED * strongest)
  colour = np.median(picture[seeds], axis=0)
  away = np.abs(picture - colour).max(axis=-1)
  if np.median(away[seeds]) > _MOST_SPREAD:
    return None
  strokes = inside & (contrast > _NEAR * strongest) & (away < _SAME_COLOUR)
  share = strokes.sum() / inside.sum()
  if not _SHARES[0] <= share <= _SHARES[1] or _has_gap(strokes, inside, height):
    return None
  return strokes


def _has_gap(strokes: np.ndarray, inside: np.ndarray, height: float) -> bool:
  """Whether a part of the line as long as it is high has no strokes."""
  side = 2 * round(_LONGEST_GAP * height / 2) + 1
  near = cv2.dilate(strokes.astype(np.uint8), np.ones((side, side), np.uint8))
  return bool((near[inside] == 0).any())


def _disc(radius: int) -> np.ndarray:
  side = 2 * radius + 1
  return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
