"""What a soft mask marks, but too weakly to be filled."""

from collections.abc import Iterator

import cv2
import numpy as np

from dipvid_jax.media.masks import HOLE_ABOVE

_NOISE = 16  # levels that compression leaves around a hard edge
_NOTICEABLE = 0.1  # of the hole's pixels
_THIN = 0.2  # of a hole of thin shapes is further than _DEEP pixels from its border
_DEEP = 2
_EDGE = 2  # pixels of dilation that reach the end of a letter's soft edge


def left_out(marked: np.ndarray, masks: np.ndarray) -> str:
  """Says how many marked pixels are not filled, if that is a noticeable share.

  What is left of a thing's soft outline stays visible around the fill.

  Args:
    marked: `[T, H, W, 1]` uint8, the mask as it was read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole, grown.

  Returns:
    A line with what to do; empty if few or no pixels are left out.
  """
  lost = hole = deep = 0
  for seen, grown in _different_frames(marked, masks):
    inside = grown > HOLE_ABOVE
    lost += int(((seen > _NOISE) & ~inside).sum())
    hole += int(inside.sum())
    deep += int(_away_from_border(seen > HOLE_ABOVE).sum())
  if lost <= _NOTICEABLE * hole:
    return ""
  line = (
    f"{lost:,} pixels are marked with {HOLE_ABOVE} or less and are not filled (the hole"
    f" has {hole:,}); --mask-threshold {_NOISE} fills them"
  )
  if deep < _THIN * hole:
    line += f"; around letters and other thin shapes better --dilate {_EDGE}"
  return line


def _different_frames(
  marked: np.ndarray, masks: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Frame by frame; one image that serves for every frame comes once."""
  once = marked.strides[0] == masks.strides[0] == 0
  count = 1 if once else len(marked)
  return zip(marked[:count, ..., 0], masks[:count, ..., 0], strict=True)


def _away_from_border(hole: np.ndarray) -> np.ndarray:
  side = 2 * _DEEP + 1
  return cv2.erode(hole.astype(np.uint8), np.ones((side, side), np.uint8))
