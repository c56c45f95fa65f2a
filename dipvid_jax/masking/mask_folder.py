"""The output folder of masks: what is in it, and whose it is."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.overlay import contact_sheet, tint
from dipvid_jax.media.images import frame_path, write_image
from dipvid_jax.media.mask_video import write_mask_video
from dipvid_jax.media.sources import os_reason
from dipvid_jax.media.stacking import stack
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.storage import disk
from dipvid_jax.storage.locks import check_free, sole_writer
from dipvid_jax.storage.written import LIST_NAME, WrittenFiles
from dipvid_jax.types import Video

_FILES = ("mask.mp4", "overlay.mp4", "preview.png")
_MASKS = "masks"
_OURS = re.compile(
  r"(masks|objects|painted)/\d{5,}\.png|looks/\d{5,}\.npz|confidence\.csv"
  r"|mask\.mp4|overlay\.mp4|preview\.png"
)
_MOST_OVERLAY_BYTES = 20_000_000
_SHOWN = 3  # names in a message


class MaskFolder:
  """`masks/` with a PNG for each frame, `mask.mp4`, `overlay.mp4`, `preview.png`.

  `written.txt` lists these files: they may be replaced, and no others.

  Attributes:
    files: names of further files that a kind of masks has.
    folders: names of further folders.
  """

  files: tuple[str, ...] = ()
  folders: tuple[str, ...] = ()

  def __init__(self, path: Path):
    """Names the folder; makes nothing.

    Args:
      path: the folder.
    """
    self.path = path
    self.masks = path / _MASKS
    self.video, self.overlay, self.preview = (path / name for name in _FILES)
    self._written = WrittenFiles(path)

  def check(
    self,
    *,
    overwrite: bool,
    inputs: Mapping[str, Path],
    taken: Collection[Path] = (),
  ) -> None:
    """Checks that no file would be lost.

    Args:
      overwrite: masks of an earlier call may be replaced.
      inputs: what is read, by the flag that names it.
      taken: files in the folder whose content goes into what is written; they may be
        replaced though they are not as they were left.

    Raises:
      BusyError: another call is writing there.
      InputError: it is a file, an input lies where masks would be written, or it
        holds other files of these names, or masks and `overwrite` is not given.
    """
    try:
      self._check_inputs(inputs)
      if self.path.exists() and not self.path.is_dir():
        raise InputError(f"--output {self.path}: is a file; name a folder")
    except (OSError, ValueError) as error:
      raise InputError(f"--output {self.path}: {os_reason(error)}") from error
    check_free(self.path)
    self._check_occupancy(overwrite=overwrite, taken=taken)

  def write(
    self,
    masks: np.ndarray,
    video: Video,
    *,
    overwrite: bool,
    taken: Collection[Path] = (),
    more: Mapping[Path, Callable[[Path], None]] | None = None,
    on_progress: Callable[[int], None] | None = None,
  ) -> None:
    """Writes all files; those of an earlier call are removed first.

    Args:
      masks: `[T, H, W]` uint8, 255 = fill, in at least one frame.
      video: that they belong to, of T frames.
      overwrite, taken: as in `check`, which is repeated.
      more: further files in the folder with what writes each at once; they come
        first, and one that is there is not removed before it is replaced.
      on_progress: called with the number of masks just written, of T.

    Raises:
      BusyError, InputError: as `check`, or the folder cannot be written to.
    """
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      with sole_writer(self.path) as hold:
        try:
          self._check_occupancy(overwrite=overwrite, taken=taken)
          self._written.begin()
          self._write_more(more or {})
          kept = set(more or {})
          self._written.remove(p for p in self._written.files() if p not in kept)
          self._written.begin()
          self.masks.mkdir(exist_ok=True)
          self._write(masks, video, on_progress)
        finally:
          hold.remove_file()
    except OSError as error:
      raise InputError(f"--output {self.path}: {disk.reason(error)}") from error

  def _write_more(self, more: Mapping[Path, Callable[[Path], None]]) -> None:
    self._written.announce(*more)
    for path, write in more.items():
      path.parent.mkdir(exist_ok=True)
      write(path)
    self._written.seal(more)

  def _write(
    self,
    masks: np.ndarray,
    video: Video,
    on_progress: Callable[[int], None] | None,
  ) -> None:
    images = [frame_path(self.masks, number) for number in range(len(masks))]
    files = [*images, self.video, self.overlay, self.preview]
    self._written.announce(*files)
    for path, mask in zip(images, masks, strict=True):
      write_image(path, mask)
      if on_progress:
        on_progress(1)
    write_mask_video(
      self.video,
      masks,
      video.frame_rate,
      timestamps=video.timestamps,
      pixel_aspect=video.pixel_aspect,
    )
    tinted = stack(_even(tint(f, m)) for f, m in zip(video.frames, masks, strict=True))
    write_video(
      self.overlay,
      tinted,
      video.frame_rate,
      timestamps=video.timestamps,
      pixel_aspect=video.pixel_aspect,
      max_bytes=_MOST_OVERLAY_BYTES,
    )
    write_image(self.preview, contact_sheet(video.frames, masks))
    self._written.seal(files)

  def _check_inputs(self, inputs: Mapping[str, Path]) -> None:
    places = {self.path.resolve(), self.masks.resolve()}
    names = (*_FILES, *self.files, *self.folders)
    places |= {(self.path / name).resolve() for name in names}
    for flag, path in inputs.items():
      if path.resolve() in places:
        raise InputError(
          f"--output {self.path}: {flag} {path} is where masks would be written; name"
          " another folder"
        )

  def _check_occupancy(self, *, overwrite: bool, taken: Collection[Path]) -> None:
    held = self._written.read()
    ours = self._written.files() if held else []
    if any(not _OURS.fullmatch(self._name(path)) for path in ours):
      raise InputError(
        f"--output {self.path}: holds the result of another command; name another"
        " folder"
      )
    strangers = [
      path
      for path in self._standing()
      if not (held and self._written.owns(path)) and path not in taken
    ]
    if strangers:
      raise InputError(
        f"--output {self.path}: {self._names(strangers)} is in the way and not as"
        " bin/mask left it; move it away, or name another folder"
      )
    if ours and not overwrite:
      raise InputError(
        f"--output {self.path}: holds masks already ({self._names(ours)}); name another"
        " folder, or add --overwrite to replace them"
      )

  def _standing(self) -> Iterable[Path]:
    """What has the name of a file that is written, and all that its folders hold."""
    found = [self.path / name for name in (*_FILES, *self.files)]
    for folder in (self.masks, *(self.path / name for name in self.folders)):
      if folder.is_dir() and not folder.is_symlink():
        found += sorted(folder.iterdir())
      else:
        found.append(folder)
    if not self._written.read():
      found.append(self.path / LIST_NAME)
    return [path for path in found if path.exists() or path.is_symlink()]

  def _names(self, files: list[Path]) -> str:
    shown = [self._name(path) for path in files[:_SHOWN]]
    if len(files) > _SHOWN:
      shown.append(f"{len(files) - _SHOWN} more files")
    return ", ".join(shown)

  def _name(self, path: Path) -> str:
    return path.relative_to(self.path).as_posix()


def _even(frame: np.ndarray) -> np.ndarray:
  """Repeats the last row or column of an odd size, which 4:2:0 video does not allow."""
  odd = [(0, side % 2) for side in frame.shape[:2]]
  return np.pad(frame, [*odd, (0, 0)], mode="edge")
