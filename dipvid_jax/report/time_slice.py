"""One row of pixels of every frame, stacked: flicker shows as jags.

Reference: Zhang et al., ICCV 2019, figure 5.
"""

import numpy as np

_MARK = (255, 0, 0)


def fullest_row(holes: np.ndarray) -> int:
  """Finds the row with the most hole pixels, summed over all frames.

  Args:
    holes: `[T, H, W, 1]`, not 0 in the hole.

  Returns:
    The row's index from the top; 0 if there is no hole.
  """
  return int(np.argmax((holes != 0).sum(axis=(0, 2, 3))))


def time_slice(
  frames: np.ndarray, *, row: int, holes: np.ndarray | None = None
) -> np.ndarray:
  """Stacks one row of pixels of every frame, the first frame at the top.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    row: index from the top.
    holes: `[T, H, W, 1]`, painted red where it is not 0.

  Returns:
    `[T, W, 3]` uint8 RGB.
  """
  if holes is None:
    return frames[:, row]
  return np.where(holes[:, row] != 0, np.array(_MARK, np.uint8), frames[:, row])


def enlarge(image: np.ndarray, *, rows: int = 1, columns: int = 1) -> np.ndarray:
  """Repeats the pixels of a picture.

  Args:
    image: `[H, W, 3]`.
    rows, columns: how many times each row and column is repeated.

  Returns:
    `[H * rows, W * columns, 3]`.
  """
  return image.repeat(rows, axis=0).repeat(columns, axis=1)
