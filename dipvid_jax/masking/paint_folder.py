"""The output folder of painted masks: what a further call continues from."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.looks_files import MOST_BYTES, read_looks, size_of, write_looks
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.masking.object_colours import write_objects
from dipvid_jax.masking.painted import list_painted, objects_of
from dipvid_jax.masking.painting import Painting
from dipvid_jax.masking.propagation import Looks
from dipvid_jax.media.images import frame_path
from dipvid_jax.storage import atomic


class PaintFolder(MaskFolder):
  """A `MaskFolder` with what was painted.

  `painted/` holds the painted and locked frames, `objects/` the objects of every frame
  if there are several, `confidence.csv` how sure each frame is, `looks/` what the next
  call need not compute again.
  """

  files = ("confidence.csv",)
  folders = ("objects", "painted", "looks")

  def __init__(self, path: Path):
    """Names the folder; makes nothing."""
    super().__init__(path)
    self.confidence = path / "confidence.csv"
    self.objects, self.painted, self.looks = (path / name for name in self.folders)

  def painted_files(self) -> dict[int, Path]:
    """The frames that earlier calls were given, by number.

    Raises:
      InputError: there are none.
    """
    if not self.painted.is_dir() or not any(self.painted.iterdir()):
      raise InputError(
        f"--output {self.path}: holds no painted frames to continue from; leave out"
        " --continue and give --paint FRAME=FILE"
      )
    return list_painted(self.painted)

  def file_to_lock(self, number: int) -> Path:
    """The file that says how a frame stands: of its objects, if there are several.

    Raises:
      InputError: there is none, or the wrong one of the two was retouched.
    """
    mask, objects = frame_path(self.masks, number), frame_path(self.objects, number)
    path = objects if objects.is_file() else mask
    if not path.is_file():
      raise InputError(f"--lock {number}: {path} is not there")
    if path == objects and mask.is_file():
      self._written.read()
      if self._written.owns(objects) and not self._written.owns(mask):
        raise InputError(
          f"--lock {number}: there are several objects, so {objects} counts and not"
          f" {mask}, which was changed; retouch the former and delete the latter"
        )
    return path

  def kept_looks(self, frames: np.ndarray, scenes: Sequence[slice]) -> dict[int, Looks]:
    """Reads what earlier calls kept of scenes, by their first frames.

    Args:
      frames: `[T, H, W, 3]` uint8 of the video.
      scenes: as they are cut now; what belongs to other frames is left out.
    """
    found = {}
    for scene in scenes:
      path = self._looks_file(scene.start)
      looks = read_looks(path, frames[scene]) if path.is_file() else None
      if looks is not None:
        found[scene.start] = looks
    return found

  def extras(
    self, painting: Painting, painted: Mapping[int, np.ndarray], frames: np.ndarray
  ) -> dict[Path, Callable[[Path], None]]:
    """The files beside the masks, with what writes each.

    Args:
      painting: the masks.
      painted: by frame number, `[H, W]` uint8, what they were made of.
      frames: `[T, H, W, 3]` uint8 of the video.
    """
    files: dict[Path, Callable[[Path], None]] = {}
    for number, labels in sorted(painted.items()):
      path = frame_path(self.painted, number)
      files[path] = functools.partial(write_objects, labels=labels)
    files[self.confidence] = functools.partial(_write_confidence, painting.confidence)
    if len(objects_of(painted)) > 1:
      for number, labels in enumerate(painting.labels):
        path = frame_path(self.objects, number)
        files[path] = functools.partial(write_objects, labels=labels)
    kept_bytes = sum(size_of(kept.looks) for kept in painting.looks.values())
    for first, kept in painting.looks.items() if kept_bytes <= MOST_BYTES else ():
      files[self._looks_file(first)] = functools.partial(
        write_looks, looks=kept.looks, frames=frames[kept.scene]
      )
    return files

  def _looks_file(self, first: int) -> Path:
    return frame_path(self.looks, first).with_suffix(".npz")


def _write_confidence(confidence: Mapping[int, float], path: Path) -> None:
  rows = [f"{number},{value:.4f}" for number, value in sorted(confidence.items())]
  with atomic.replacing(path) as partial:
    partial.write_text("\n".join(["frame,confidence", *rows, ""]))
