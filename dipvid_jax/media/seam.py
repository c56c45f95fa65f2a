"""The seam between a filling and what surrounds it."""

import cv2
import numpy as np

_RING = np.ones((5, 5), np.uint8)  # two pixels outside the hole are compared
_REACH = 4  # widths of the averaging that still count


def lead_over(
  surroundings: np.ndarray, generated: np.ndarray, hole: np.ndarray, *, pixels: float
) -> np.ndarray:
  """What to add to a filling so that it leads over into what surrounds it.

  Just outside the hole the input and the network's own frame are both known. Their
  difference there, averaged along the border, is what the filling lacks: all of it
  at the border, nothing from `pixels` inward. A blend with the input's pixels
  would bring back what the hole is to remove; those in the hole are never read.

  Args:
    surroundings: `[H, W, 3]` uint8 RGB, the input, of use outside the hole.
    generated: `[H, W, 3]` uint8 RGB, the network's frame, in the hole and around it.
    hole: `[H, W]` bool.
    pixels: width of the feather, from the border inward.

  Returns:
    `[H, W, 3]` float32, in levels; 0 outside the hole.

  Raises:
    ValueError: pixels is not positive.
  """
  if pixels <= 0:
    raise ValueError(f"pixels must be positive, got {pixels}")
  missing = np.zeros(generated.shape, np.float32)
  if hole.any() and not hole.all():
    near = _around(hole, margin=int(_REACH * pixels) + len(_RING))
    missing[near] = _missing(surroundings[near], generated[near], hole[near], pixels)
  return missing


def _around(hole: np.ndarray, *, margin: int) -> tuple[slice, slice]:
  """The rows and columns of the hole, and a margin on every side."""
  left, top, width, height = cv2.boundingRect(hole.astype(np.uint8))
  return (
    slice(max(0, top - margin), top + height + margin),
    slice(max(0, left - margin), left + width + margin),
  )


def _missing(
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
