"""Colour correction at the seam between a fill and its surroundings."""

import cv2
import numpy as np

_RING = np.ones((5, 5), np.uint8)  # compares the two pixels around the hole
_REACH = 4  # the margin in feather widths; the averaging ends within it


def border_correction(
  surroundings: np.ndarray, generated: np.ndarray, hole: np.ndarray, *, pixels: float
) -> np.ndarray:
  """What to add to a fill so that its colours meet its surroundings.

  Just outside the hole the input and the network's own frame are both known. The
  correction is their difference there, averaged along the border: full strength at
  the border, none from `pixels` inward. The input's pixels in the hole are never
  read: blending them in would bring back what the hole removes.

  Args:
    surroundings: `[H, W, 3]` uint8 RGB, the input; used outside the hole only.
    generated: `[H, W, 3]` uint8 RGB, the network's frame, in the hole and around it.
    hole: `[H, W]` bool.
    pixels: width of the feather, from the border inward.

  Returns:
    `[H, W, 3]` float32, in 8-bit levels; 0 outside the hole.

  Raises:
    ValueError: pixels is not positive.
  """
  if pixels <= 0:
    raise ValueError(f"pixels must be positive, got {pixels}")
  added = np.zeros(generated.shape, np.float32)
  if hole.any() and not hole.all():
    near = _around(hole, margin=int(_REACH * pixels) + len(_RING))
    added[near] = _correction(surroundings[near], generated[near], hole[near], pixels)
  return added


def _around(hole: np.ndarray, *, margin: int) -> tuple[slice, slice]:
  """The rows and columns of the hole, and a margin on every side."""
  left, top, width, height = cv2.boundingRect(hole.astype(np.uint8))
  return (
    slice(max(0, top - margin), top + height + margin),
    slice(max(0, left - margin), left + width + margin),
  )


def _correction(
  surroundings: np.ndarray, generated: np.ndarray, hole: np.ndarray, pixels: float
) -> np.ndarray:
  inside = hole.astype(np.uint8)
  distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
  weight = np.clip(1 - (distance - 1) / pixels, 0, 1) * inside
  ring = (cv2.dilate(inside, _RING) - inside).astype(np.float32)
  difference = (np.float32(surroundings) - generated) * ring[..., None]
  counted = _smooth(ring, pixels / 2)
  average = _smooth(difference, pixels / 2) / np.maximum(counted, 1e-12)[..., None]
  return weight[..., None] * average


def _smooth(image: np.ndarray, width: float) -> np.ndarray:
  return cv2.GaussianBlur(image, (0, 0), width, borderType=cv2.BORDER_CONSTANT)
