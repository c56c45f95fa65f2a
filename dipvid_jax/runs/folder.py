"""The output folder of a run: what is in it, and whose it is."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.audio import add_audio
from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.media.images import frame_path, write_image, write_images
from dipvid_jax.media.sources import os_reason
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.config_file import check_same_config, write_config
from dipvid_jax.runs.window_files import WindowFiles
from dipvid_jax.storage.locks import sole_writer
from dipvid_jax.storage.rows import append_row, keep_rows
from dipvid_jax.types import Video

_RESULTS = (
  "inpainted.mp4",
  "full.mp4",
  "preview.png",
  "metrics.jsonl",
  "rounds.jsonl",
  "report.html",
  "report",
  "frames",
  "full",
)
_FOLDERS = ("checkpoints", "flow")
_CONFIG = "config.json"
_LAST_WRITTEN = "full.mp4"


class RunFolder:
  """Paths and writers of one run's output.

  `inpainted.mp4` and `frames/` (stitched), `full.mp4` and `full/` (the network's),
  `preview.png`, `config.json`, `metrics.jsonl`, `rounds.jsonl`, `report.html` and its
  parts in `report/`, `checkpoints/`, `flow/`.
  """

  def __init__(self, path: str | Path):
    """Names the folder; makes nothing.

    Args:
      path: the folder.

    Raises:
      InputError: no folder can have that name.
    """
    self.path = Path(path)
    try:
      self.path.stat()
    except (FileNotFoundError, NotADirectoryError):
      pass  # making it will say why it cannot be
    except (OSError, ValueError) as error:
      raise InputError(f"--output {path}: {os_reason(error)}") from error
    self.checkpoints = self.path / "checkpoints"
    self.flow = self.path / "flow"
    self.frames = self.path / "frames"
    self.full = self.path / "full"
    self.metrics = self.path / "metrics.jsonl"
    self.rounds = self.path / "rounds.jsonl"

  def window_files(self, number: int, *, of: int) -> WindowFiles:
    """Where a window keeps its states; an only window has the folders to itself.

    Args:
      number: of the window, from 0.
      of: how many windows there are.
    """
    name = f"window_{number:03d}" if of > 1 else ""
    return WindowFiles(
      checkpoints=self.checkpoints / name,
      flow=self.flow / name,
      tail=self.checkpoints / f"{name or 'window'}_tail.npz",
    )

  def holds_run(self) -> bool:
    """Whether a run was begun here."""
    return (self.path / _CONFIG).exists()

  def is_finished(self, config: Mapping[str, object]) -> bool:
    """Whether a run of this config ended here.

    Args:
      config: plain values, as JSON; the frames themselves are not compared.

    Returns:
      True with all results written, False with no run or one that did not end.

    Raises:
      InputError: the folder holds a run of another config.
    """
    if not self.holds_run():
      return False
    check_same_config(self.path / _CONFIG, config)
    return (self.path / _LAST_WRITTEN).exists()

  def check(self, *, overwrite: bool, resume: bool) -> None:
    """Checks that nothing of another run would be lost.

    Args:
      overwrite: another run's files may be replaced.
      resume: the folder's own run is resumed.

    Raises:
      InputError: it is a file, holds another run, or has none to resume.
    """
    if self.path.exists() and not self.path.is_dir():
      raise InputError(f"--output {self.path}: is a file; name a folder")
    held = [
      name for name in (_CONFIG, *_RESULTS, *_FOLDERS) if (self.path / name).exists()
    ]
    if resume:
      if _CONFIG not in held:
        raise InputError(
          f"--output {self.path}: holds no run to resume; leave out --resume"
        )
    elif held and not overwrite:
      raise InputError(
        f"--output {self.path}: holds another run ({', '.join(held)}); name another "
        f"folder, or add --resume to continue it or --overwrite to replace it"
      )

  @contextlib.contextmanager
  def claim(self, *, overwrite: bool, resume: bool) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it until the block ends.

    Args:
      overwrite, resume: as `check`, which is repeated: another run may have come
        and gone since.

    Raises:
      InputError: the folder cannot be made, another run is writing there, or as
        `check`.
    """
    with contextlib.ExitStack() as held:
      try:
        self.path.mkdir(parents=True, exist_ok=True)
        held.enter_context(sole_writer(self.path))
      except OSError as error:
        raise self._unwritable(error) from error
      self.check(overwrite=overwrite, resume=resume)
      self._sweep()
      yield

  def _sweep(self) -> None:
    """Removes the partial files of a killed run; none is being written now."""
    for path in (*self.path.rglob(".*.partial"), *self.path.rglob(".flow-*")):
      if path.is_dir():
        shutil.rmtree(path)
      else:
        path.unlink()

  def _unwritable(self, error: OSError) -> InputError:
    return InputError(f"--output {self.path}: cannot be written ({error.strerror})")

  def create(self, config: Mapping[str, object], *, resume: bool) -> None:
    """Makes the folder and writes the config; clears what a replaced run left.

    The stored flow stays: it is reused only where it fits.

    Args:
      config: plain values, as JSON.
      resume: keep everything.

    Raises:
      InputError: the folder cannot be written, or was begun with another config.
    """
    if resume:
      check_same_config(self.path / _CONFIG, config)
      return
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      for name in (*_RESULTS, "checkpoints"):
        held = self.path / name
        if held.is_dir():
          shutil.rmtree(held)
        else:
          held.unlink(missing_ok=True)
      write_config(self.path / _CONFIG, config)
    except OSError as error:
      raise self._unwritable(error) from error

  def append_metrics(self, row: Mapping[str, object]) -> None:
    """Adds a line to `metrics.jsonl`."""
    append_row(self.metrics, row)

  def append_round(self, row: Mapping[str, object]) -> None:
    """Adds a line to `rounds.jsonl`."""
    append_row(self.rounds, row)

  def keep_metrics(self, *, window: int, updates: int) -> None:
    """Drops a window's lines after some updates: a resumed run writes them again.

    Args:
      window: from 1.
      updates: of that window.
    """
    for path in (self.metrics, self.rounds):
      keep_rows(path, window=window, updates=updates)

  def write_preview(self, image: np.ndarray) -> None:
    """Writes `preview.png`, `[H, W, 3]` uint8 RGB."""
    write_image(self.path / "preview.png", image)

  def write_frames(
    self, stitched: Iterable[np.ndarray], full: Iterable[np.ndarray], *, first: int
  ) -> None:
    """Writes some of `frames/` and `full/`.

    Args:
      stitched: `[H, W, 3]` uint8 RGB each, of the input's size.
      full: `[h, w, 3]` uint8 RGB each.
      first: the number of the first one in the clip.
    """
    write_images(self.frames, stitched, first=first)
    write_images(self.full, full, first=first)

  def has_frames(self, first: int, stop: int) -> bool:
    """Whether the frames `first .. stop - 1` were written."""
    return all(
      frame_path(folder, number).exists()
      for folder in (self.frames, self.full)
      for number in range(first, stop)
    )

  def write_videos(self, like: Video) -> str:
    """Writes `inpainted.mp4` and `full.mp4` from the frames, shown as the input is.

    H.264 needs even sides: the videos, not the images, repeat the last row or column
    of an odd side.

    Args:
      like: the input, for its count, times, sound, and how its frames are shown.

    Returns:
      What part of the sound was left out, in one line; empty if none was.
    """
    left_out = ""
    for name, folder in (("inpainted.mp4", self.frames), (_LAST_WRITTEN, self.full)):
      write_video(
        self.path / name,
        ImageSequence(folder, len(like.frames), even=True),
        like.frame_rate,
        timestamps=like.timestamps,
        pixel_aspect=like.pixel_aspect,
        colour=like.colour,
        # The network's own frames are not made of fields.
        field_order=like.field_order if folder is self.frames else None,
      )
      if folder is self.frames and like.audio:
        left_out = add_audio(self.path / name, like.audio)
    return left_out
