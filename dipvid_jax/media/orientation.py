"""How a frame is turned and mirrored before it is shown."""

from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType


class DisplayMatrix(NamedTuple):
  """The four numbers of a frame's display matrix that turn and mirror."""

  a: int = 1
  b: int = 0
  c: int = 0
  d: int = 1

  @property
  def is_quarter_turn(self) -> bool:
    """Whether rows become columns."""
    return not self.a and not self.d and bool(self.b and self.c)

  @property
  def changes(self) -> bool:
    """Whether it turns or mirrors; players also ignore other angles."""
    aligned = not self.b and not self.c and bool(self.a and self.d)
    return self.is_quarter_turn or (aligned and min(self.a, self.d) < 0)


def display_matrix(frame: av.VideoFrame) -> DisplayMatrix:
  """Reads a decoded frame's display matrix; that of an upright frame if it has none."""
  # `frame.side_data` refers to the frame that holds it, so frames would pile up.
  container: Any = SideDataContainer  # PyAV's stubs name only two kinds of side data
  side_data = container(frame)
  try:
    matrix = side_data[SideDataType.DISPLAYMATRIX]
  except KeyError:
    return DisplayMatrix()
  a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
  return DisplayMatrix(a, b, c, d)


def upright(image: np.ndarray, matrix: DisplayMatrix) -> np.ndarray:
  """Turns and mirrors an image, `[H, W, 3]`; a view of it."""
  if not matrix.changes:
    return image
  if matrix.is_quarter_turn:
    image = np.swapaxes(image, 0, 1)
    flip_x, flip_y = matrix.c < 0, matrix.b < 0
  else:
    flip_x, flip_y = matrix.a < 0, matrix.d < 0
  return image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
