"""What the user says of frames: painted ones, strokes, locks; kept in files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import frame_path, read_image, write_image

EXCLUDED = 255
"""In a picture of strokes: surely no object."""


class Edits:
  """Truth and strokes of some frames, each in an image of its own.

  Attributes:
    painted: frames whose whole truth was painted.
    locked: frames that are kept as they were when they were locked.
    truth: `[H, W]` uint8 by frame, of both.
    strokes: `[H, W]` uint8 by frame: 0 nothing said, k object k, 255 no object.
  """

  def __init__(self, folder: Path):
    """Reads what a folder holds.

    Args:
      folder: it and its subfolders are made when they are needed.
    """
    self._folder = folder
    self.painted: dict[int, np.ndarray] = _read(folder / "painted")
    self.locked: dict[int, np.ndarray] = _read(folder / "locked")
    self.strokes: dict[int, np.ndarray] = _read(folder / "strokes")

  @property
  def truth(self) -> dict[int, np.ndarray]:
    """Whole truth by frame; what is locked comes first."""
    return self.painted | self.locked

  def signed_strokes(self) -> dict[int, np.ndarray]:
    """Strokes as `propagate_masks` takes them: -1 where no object is."""
    return {
      number: np.where(image == EXCLUDED, -1, image.astype(np.int16))
      for number, image in self.strokes.items()
      if image.any()
    }

  def paint(self, number: int, labels: np.ndarray) -> None:
    """Keeps the whole truth of a frame.

    Raises:
      InputError: it is locked.
    """
    self._check_open(number)
    self._keep("painted", self.painted, number, labels)

  def stroke(self, number: int, strokes: np.ndarray) -> None:
    """Keeps the strokes of a frame; an empty picture takes them back.

    Raises:
      InputError: it is locked.
    """
    self._check_open(number)
    if strokes.any():
      self._keep("strokes", self.strokes, number, strokes)
    else:
      self._drop("strokes", self.strokes, number)

  def lock(self, number: int, labels: np.ndarray) -> None:
    """Keeps a frame as it stands."""
    self._keep("locked", self.locked, number, labels)

  def unlock(self, number: int) -> None:
    """Lets a frame change again."""
    self._drop("locked", self.locked, number)

  def forget(self, number: int) -> None:
    """Takes back all that was said of a frame."""
    for name in ("painted", "locked", "strokes"):
      self._drop(name, getattr(self, name), number)

  def _check_open(self, number: int) -> None:
    if number in self.locked:
      raise InputError(f"frame {number} is locked; unlock it first")

  def _keep(
    self, name: str, kept: dict[int, np.ndarray], number: int, image: np.ndarray
  ) -> None:
    path = frame_path(self._folder / name, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)
    kept[number] = image

  def _drop(self, name: str, kept: dict[int, np.ndarray], number: int) -> None:
    frame_path(self._folder / name, number).unlink(missing_ok=True)
    kept.pop(number, None)


def _read(folder: Path) -> dict[int, np.ndarray]:
  return {int(path.stem): read_image(path) for path in _images(folder)}


def _images(folder: Path) -> Iterator[Path]:
  if folder.is_dir():
    yield from sorted(path for path in folder.glob("*.png") if path.stem.isdigit())
