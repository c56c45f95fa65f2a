"""Keeps an object to its path: what looks like it elsewhere is something else."""

import cv2
import numpy as np

_NEAR = 0.02  # of the diagonal: an object is found this near to its painted shape,
_STRETCHES = 0.15  # and as much farther, of the root of its area
_FADES = 2.0  # from that distance to twice it
_TOUCHES = 0.008  # of the diagonal: parts this near to what was there belong to it
_PART = 0.25  # a probability: parts are cut from what is above
_THERE = 0.5


def reach(shape: np.ndarray) -> np.ndarray:
  """How far an object can be found, `[h, w]` float32 in [0, 1].

  Args:
    shape: `[h, w]` bool, the painted object moved to where it is expected.
  """
  if not shape.any():
    return np.zeros(shape.shape, np.float32)
  away = cv2.distanceTransform((~shape).astype(np.uint8), cv2.DIST_L2, 3)
  far = _NEAR * np.hypot(*shape.shape) + _STRETCHES * shape.sum() ** 0.5
  return np.clip(_FADES - away / far, 0, 1)


def keep_parts(
  chances: np.ndarray, shape: np.ndarray, carried: np.ndarray
) -> np.ndarray:
  """Takes away the parts that touch neither the shape nor what was there.

  Args:
    chances: `[h, w]` float32 probabilities of the object.
    shape: as for `reach`.
    carried: `[h, w]` float32, what the neighbouring frame says.

  Returns:
    `[h, w]` float32.
  """
  side = 2 * int(_TOUCHES * np.hypot(*shape.shape)) + 1
  there = cv2.dilate(
    (carried > _THERE).astype(np.uint8), np.ones((side, side), np.uint8)
  )
  count, parts = cv2.connectedComponents((chances > _PART).astype(np.uint8))
  belongs = np.zeros(count, bool)
  belongs[np.unique(parts[shape | (there > 0)])] = True
  belongs[0] = True  # what is weaker than a part
  return np.where(belongs[parts], chances, 0)
