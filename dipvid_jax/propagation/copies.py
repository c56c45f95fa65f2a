"""Copies of the hole over known parts of the clip, where the truth is at hand.

What a method does under a copy is what it does in the hole, and can be measured.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Int

from dipvid_jax.propagation.regions import grow

_GAP = 6  # pixels between copies, and between copies and the hole
_TRIES = 40
_OVERLAP = 0.1  # of the hole that may touch another copy or the hole


def place_copies(
  hole: Bool[np.ndarray, "T H W"], *, count: int, generator: np.random.Generator
) -> Int[np.ndarray, "T H W"]:
  """Lays shifted copies of the hole over the clip, apart from each other.

  A copy keeps the hole's shape and motion; what leaves the frame on one side enters on
  the other.

  Args:
    hole: `[T, H, W]` bool.
    count: copies; fewer if there is no room, but at least one.
    generator: draws the places.

  Returns:
    `[T, H, W]` int: 1, 2, .. under the copies, 0 elsewhere and in the hole.
  """
  height, width = hole.shape[1:]
  copies = np.zeros(hole.shape, int)
  taken = hole.copy()
  placed = 0
  best: tuple[float, np.ndarray] | None = None
  for _ in range(_TRIES):
    shift = (
      int(generator.integers(-height // 3, height // 3 + 1)),
      int(generator.integers(-width // 2, width // 2 + 1)),
    )
    copy = np.roll(hole, shift, axis=(1, 2))
    near = np.stack([grow(mask, _GAP) for mask in copy])
    overlap = float((near & taken).sum() / max(1, hole.sum()))
    if overlap <= _OVERLAP:
      placed += 1
      copies[copy & ~taken] = placed
      taken |= copy
      if placed == count:
        break
    elif best is None or overlap < best[0]:
      best = (overlap, copy)
  if not placed and best is not None:
    copies[best[1] & ~hole] = 1
  return copies


def hole_depth(hole: Bool[np.ndarray, "T H W"]) -> np.ndarray:
  """Distance of every pixel to the nearest known one.

  Args:
    hole: `[T, H, W]` bool.

  Returns:
    `[T, H, W]` float32, pixels; 0 outside the hole.
  """
  masks = hole.astype(np.uint8)
  exact = cv2.DIST_MASK_PRECISE
  return np.stack([cv2.distanceTransform(x, cv2.DIST_L2, exact) for x in masks])
