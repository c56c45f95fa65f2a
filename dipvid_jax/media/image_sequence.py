"""The frames that were written, each read on access."""

import pathlib
from collections.abc import Iterator

import numpy as np

from dipvid_jax.media.images import frame_path, read_image


class ImageSequence:
  """The frames that `write_images` wrote, each read on access."""

  def __init__(self, folder: pathlib.Path, count: int, *, even: bool = False):
    """Names the frames; none is read yet.

    Args:
      folder: their folder.
      count: number of frames; the first is number 0.
      even: repeat the last row or column if the height or width is odd.
    """
    self._paths = [frame_path(folder, number) for number in range(count)]
    self._even = even

  def __len__(self) -> int:
    """The number of frames."""
    return len(self._paths)

  def __getitem__(self, number: int) -> np.ndarray:
    """Reads a frame, `[H, W, 3]` uint8 RGB."""
    image = read_image(self._paths[number])
    if not self._even:
      return image
    odd = [(0, side % 2) for side in image.shape[:2]]
    return np.pad(image, [*odd, (0, 0)], mode="edge")

  def __iter__(self) -> Iterator[np.ndarray]:
    """Reads the frames one by one."""
    return (self[number] for number in range(len(self)))
