"""Parts of a frame around its hole."""

import cv2
import numpy as np
from jaxtyping import Bool

from dipvid_jax.media.discs import disc
from dipvid_jax.media.placement import Box

CONTEXT = 32  # pixels around the hole that a search for its flow looks at
_LINE = 4096  # points in a line of OpenCV's map
_JOINED = 8  # pixels on each side: parts that come closer are one
_SMALLEST = 48  # pixels: the side of a part in which flow can be searched


def grow(mask: Bool[np.ndarray, "H W"], pixels: int) -> Bool[np.ndarray, "H W"]:
  """Grows a mask by a disc."""
  if not pixels:
    return mask
  return cv2.dilate(mask.astype(np.uint8), disc(pixels)) > 0


def blobs(mask: Bool[np.ndarray, "H W"]) -> list[Bool[np.ndarray, "H W"]]:
  """Splits a mask into parts that lie apart, so that each has a small box.

  Args:
    mask: `[H, W]` bool.

  Returns:
    The parts, `[H, W]` bool each, more than 16 pixels from each other; none if the mask
    is empty.
  """
  count, labels = cv2.connectedComponents(grow(mask, _JOINED).astype(np.uint8))
  return [mask & (labels == label) for label in range(1, count)]


def box_around(mask: Bool[np.ndarray, "H W"], margin: int) -> Box:
  """The smallest box around a mask with a margin, cut off at the frame's edges.

  Args:
    mask: `[H, W]` bool with at least one pixel.
    margin: pixels on every side.

  Returns:
    The box, at least 48 pixels high and wide where the frame is.
  """
  sides = []
  for axis, length in ((1, mask.shape[0]), (0, mask.shape[1])):
    inside = np.flatnonzero(mask.any(axis=axis))
    first, last = int(inside[0]) - margin, int(inside[-1]) + margin + 1
    lacking = max(0, _SMALLEST - (last - first))
    first, last = first - lacking // 2, last + (lacking + 1) // 2
    first = max(0, min(first, length - _SMALLEST))
    sides.append((first, min(length, max(last, first + _SMALLEST))))
  (top, bottom), (left, right) = sides
  return Box(top, left, bottom - top, right - left)


def positions(box: Box) -> np.ndarray:
  """`[h, w, 2]` float32: (x, y) in the frame of each pixel of a box."""
  rows, columns = box.slices
  x = np.arange(columns.start, columns.stop, dtype=np.float32)
  y = np.arange(rows.start, rows.stop, dtype=np.float32)
  return np.stack(np.meshgrid(x, y), axis=-1)


def in_frame(where: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
  """Whether points (x, y), `[.., 2]`, lie in a frame of size (H, W): `[..]` bool."""
  x, y = where[..., 0], where[..., 1]
  return (x >= 0) & (x <= size[1] - 1) & (y >= 0) & (y <= size[0] - 1)


def sample(
  image: np.ndarray, where: np.ndarray, interpolation: int = cv2.INTER_LINEAR
) -> np.ndarray:
  """`[H, W(, C)]` sampled at `[h, w, 2]` points (x, y); the border repeats."""
  return cv2.remap(
    image,
    np.ascontiguousarray(where[..., 0]),
    np.ascontiguousarray(where[..., 1]),
    interpolation,
    borderMode=cv2.BORDER_REPLICATE,
  )


def sample_points(
  image: np.ndarray, where: np.ndarray, interpolation: int = cv2.INTER_LINEAR
) -> np.ndarray:
  """`[H, W(, C)]` sampled at any number of points `[P, 2]` (x, y): `[P(, C)]`.

  OpenCV takes maps of fewer than 32,767 rows, so the points are folded into lines.
  """
  count = len(where)
  lines = -(-max(count, 1) // _LINE)
  length = _LINE if lines > 1 else max(count, 1)
  folded = np.zeros((lines * length, 2), np.float32)
  folded[:count] = where
  sampled = sample(image, folded.reshape(lines, length, 2), interpolation)
  return sampled.reshape(lines * length, *sampled.shape[2:])[:count]
