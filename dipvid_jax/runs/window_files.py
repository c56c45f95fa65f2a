"""What a window leaves on disk for the windows after it, and for a resumed run."""

import dataclasses
import pathlib

import numpy as np

from dipvid_jax.runs.windows import Arrays
from dipvid_jax.storage.atomic import replacing


@dataclasses.dataclass(frozen=True)
class WindowFiles:
  """Where one window of a run keeps its states.

  Attributes:
    checkpoints, flow: folders.
    tail: the file that tells that the window is done, with what it leaves open.
  """

  checkpoints: pathlib.Path
  flow: pathlib.Path
  tail: pathlib.Path

  def save_tail(self, tail: Arrays) -> None:
    """Writes the tail; the frames before it must be written already."""
    self.tail.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(self.tail, tail)

  def read_tail(self) -> Arrays | None:
    """The tail, or None where the window is not done or the file is damaged."""
    return read_arrays(self.tail)


def save_arrays(path: pathlib.Path, arrays: Arrays) -> None:
  """Writes a window's arrays, all of them or nothing.

  Args:
    path: an `.npz`, in a folder that is there.
    arrays: by name.

  Raises:
    OSError: the file cannot be written.
  """
  with replacing(path) as partial, partial.open("wb") as file:
    np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: pathlib.Path) -> Arrays | None:
  """Reads what `save_arrays` wrote; None if the file is missing or damaged."""
  try:
    with path.open("rb") as file, np.load(file) as arrays:  # checks each CRC
      return dict(arrays)
  except Exception:  # a damaged file can fail in any way; the window is made again
    return None
