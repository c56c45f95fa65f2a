"""Long clips in one array: without a second copy, and large ones on disk."""

import contextlib
import math
import mmap
import tempfile
from collections.abc import Iterable
from typing import IO

import numpy as np

_MOST_IN_MEMORY = 2**28  # bytes


def stack(images: Iterable[np.ndarray]) -> np.ndarray:
  """Copies images of one shape into one array as they arrive.

  What is larger than 256 MiB goes to a temporary file, whose pages the system keeps in
  memory while there is room. No space is taken before an image is there: a file may
  claim to hold any number of them.

  Args:
    images: at least one.

  Returns:
    `[T, ..]`.

  Raises:
    ValueError: there are no images, or they differ in shape.
  """
  first, count = None, 0
  with contextlib.closing(_Bytes()) as held:
    for image in images:
      if first is None:
        first = image
      elif image.shape != first.shape:
        raise ValueError(f"images of shapes {first.shape} and {image.shape}")
      held.add(np.ascontiguousarray(image).reshape(-1).view(np.uint8))
      count += 1
    if first is None:
      raise ValueError("there are no images to stack")
    return held.array().view(first.dtype).reshape(count, *first.shape)


class _Bytes:
  """Bytes that grow, in memory and then in a file."""

  def __init__(self) -> None:
    self._memory, self._used = np.empty(0, np.uint8), 0
    self._file: IO[bytes] | None = None
    self._most: float = _MOST_IN_MEMORY

  def add(self, data: np.ndarray) -> None:
    if self._file is None and self._used + len(data) > self._most:
      self._move_to_file()
    if self._file is not None:
      try:
        _write(self._file, data)
      except OSError:
        self._move_to_memory()
    if self._file is None:
      self._write_to_memory(data)
    self._used += len(data)

  def array(self) -> np.ndarray:
    """All bytes, `[count]` uint8; what is written into them reaches no file."""
    if self._file is None:
      self._memory.resize(self._used, refcheck=False)
      return self._memory
    pages = mmap.mmap(self._file.fileno(), self._used, access=mmap.ACCESS_COPY)
    return np.frombuffer(pages, np.uint8)

  def close(self) -> None:
    """Closes the file; its pages stay as long as an array of them."""
    if self._file is not None:
      self._file.close()
    self._file = None

  def _write_to_memory(self, data: np.ndarray) -> None:
    end = self._used + len(data)
    if end > len(self._memory):
      self._memory.resize(end + self._used // 2, refcheck=False)
    self._memory[self._used : end] = data

  def _move_to_file(self) -> None:
    try:
      self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
      _write(self._file, self._memory[: self._used])
      self._memory = np.empty(0, np.uint8)
    except OSError:
      self.close()
      self._most = math.inf

  def _move_to_memory(self) -> None:
    """The disk is full: back to memory, for good."""
    self._memory = np.array(self.array()) if self._used else self._memory
    self.close()
    self._most = math.inf


def _write(file: IO[bytes], data: np.ndarray) -> None:
  done = 0
  while done < len(data):
    done += file.write(data[done:].data)
