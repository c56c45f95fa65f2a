"""Carried pixels joined to their surroundings without a seam.

A carried pixel may be lighter, darker or of another tint than what surrounds the hole.
The gradients of the carried pixels are kept and their level is fitted to the border, as
in Perez et al., Poisson Image Editing, 2003; a screen holds confident pixels at their
own level (Bhat et al., Fourier Analysis of the 2D Screened Poisson Equation, 2008).
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Bool, Float, Float32

_SCREEN = 0.2  # weight of a confident pixel's own level beside that of a gradient
_LEAST = 1e-6  # of the screen: pixels without a border keep their level
_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def level_correction(
  frame: Float[np.ndarray, "H W 3"],
  carried: Float[np.ndarray, "H W 3"],
  hole: Bool[np.ndarray, "H W"],
  arrived: Bool[np.ndarray, "H W"],
  confidence: Float[np.ndarray, "H W"],
) -> Float32[np.ndarray, "H W 3"]:
  """What to add to carried pixels so that they meet the hole's border.

  Minimises `|grad d|^2 + 0.2 confidence d^2` over the hole, where d at the border is
  the frame less what was carried there.

  Args:
    frame: `[H, W, 3]`, known outside the hole.
    carried: `[H, W, 3]`, colours carried into the hole and onto a ring around it.
    hole: `[H, W]` bool.
    arrived: `[H, W]` bool, where `carried` holds something.
    confidence: `[H, W]` in [0, 1].

  Returns:
    d, `[H, W, 3]` float32; 0 outside the hole.
  """
  correction = np.zeros(frame.shape, np.float32)
  rows, columns = np.nonzero(hole)
  if not len(rows):
    return correction
  height, width = hole.shape
  number = np.full(hole.shape, -1)
  number[rows, columns] = np.arange(len(rows))
  border_off = np.where(arrived[..., None], frame - carried, 0)
  screen = _SCREEN * np.where(arrived, confidence, 0)
  diagonal = np.maximum(screen[rows, columns], _LEAST).astype(float)
  wanted = np.zeros((len(rows), 3))
  entries = []
  for down, right in _NEIGHBOURS:
    y, x = rows + down, columns + right
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    y, x = y.clip(0, height - 1), x.clip(0, width - 1)
    other = np.where(inside, number[y, x], -1)
    in_hole = other >= 0
    at_border = inside & ~in_hole & arrived[y, x]
    diagonal += in_hole | at_border
    wanted += np.where(at_border[:, None], border_off[y, x], 0)
    entries.append((np.flatnonzero(in_hole), other[in_hole]))
  row, column = (np.concatenate(part) for part in zip(*entries, strict=True))
  size = (len(rows), len(rows))
  links = scipy.sparse.coo_matrix((-np.ones(len(row)), (row, column)), size)
  matrix = (links + scipy.sparse.diags(diagonal)).tocsc()
  correction[rows, columns] = scipy.sparse.linalg.splu(matrix).solve(wanted)
  return correction
