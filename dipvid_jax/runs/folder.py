"""The output folder of a run: what is in it, and whose it is."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.audio import add_audio
from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.media.images import frame_path, write_image, write_images
from dipvid_jax.media.sources import os_reason
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.config_file import (
  CONFIG_NAME,
  check_same_config,
  is_of_a_run,
  write_config,
)
from dipvid_jax.runs.leftovers import remove_empty, remove_written, sweep
from dipvid_jax.runs.occupancy import (
  check_occupancy,
  describe,
  removable,
  window_folders,
)
from dipvid_jax.runs.standing import FULL_NAME, INPAINTED_NAME, has_results
from dipvid_jax.runs.window_files import WindowFiles
from dipvid_jax.runs.windows import Arrays, Window
from dipvid_jax.storage import disk
from dipvid_jax.storage.locks import Hold, sole_writer
from dipvid_jax.storage.rows import append_row, keep_rows
from dipvid_jax.storage.written import WrittenFiles
from dipvid_jax.terminal import say
from dipvid_jax.types import Video


class RunFolder:
  """Paths and writers of one run's output.

  `inpainted.mp4` and `frames/` (stitched), `full.mp4` and `full/` (the network's),
  `preview.png`, `config.json`, `metrics.jsonl`, `rounds.jsonl`, `report.html` and its
  parts in `report/`, `checkpoints/`, `flow/`; `written.txt`, the list of these files.
  `windows/` has folders in which windows of a long clip run alone (`WindowFolder`).
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
    self.report = self.path / "report"
    self.metrics = self.path / "metrics.jsonl"
    self.rounds = self.path / "rounds.jsonl"
    self.written = WrittenFiles(self.path)
    self._hold: Hold | None = None
    self._replaced: list[RunFolder] = []  # of windows that ran alone

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
    return (self.path / CONFIG_NAME).exists()

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
    check_same_config(self.path / CONFIG_NAME, config)
    return has_results(self.path)

  def resumes(self, *, overwrite: bool, resume: bool | None) -> bool:
    """Whether a run continues the folder's run.

    Args:
      overwrite: a run replaces what is there.
      resume: as `run` has it; None: whatever the folder holds.
    """
    if resume is not None:
      return resume
    return not overwrite and is_of_a_run(self.path / CONFIG_NAME)

  def check(self, *, overwrite: bool, resume: bool | None) -> None:
    """Checks that nothing of another run, or of the user's, would be lost.

    Args:
      overwrite: another run's files may be removed.
      resume: the folder's own run is resumed; None: if there is one.

    Raises:
      InputError: as `check_occupancy`.
    """
    resume = self.resumes(overwrite=overwrite, resume=resume)
    check_occupancy(self.path, self.written, overwrite=overwrite, resume=resume)

  @contextlib.contextmanager
  def hold(self) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it until the block ends.

    Raises:
      InputError: the folder cannot be made.
      BusyError: another run is writing there.
    """
    with contextlib.ExitStack() as held:
      try:
        self.path.mkdir(parents=True, exist_ok=True)
        self._hold = held.enter_context(sole_writer(self.path))
      except OSError as error:
        raise self._unwritable(error) from error
      held.callback(setattr, self, "_hold", None)
      yield

  @contextlib.contextmanager
  def claim(self, *, overwrite: bool, resume: bool | None) -> Iterator[bool]:
    """Holds the folder for a run, after a check of what is there now.

    Args:
      overwrite, resume: as `check`, which is repeated: another run may have come
        and gone since.

    Yields:
      Whether the folder's run is resumed.

    Raises:
      InputError: as `hold` and `check`.
      BusyError: another run is writing there.
    """
    with self.hold():
      resumes = self.resumes(overwrite=overwrite, resume=resume)
      self.check(overwrite=overwrite, resume=resumes)
      sweep(self.path)
      with self._holding_windows(overwrite and not resumes):
        yield resumes

  @contextlib.contextmanager
  def _holding_windows(self, replaced: bool) -> Iterator[None]:
    """Keeps runs of single windows out as well, where their files will be removed."""
    with contextlib.ExitStack() as held:
      if replaced:
        self._replaced = [RunFolder(path) for path in window_folders(self.path)]
      for folder in self._replaced:
        held.enter_context(folder.hold())
      held.callback(self._replaced.clear)
      yield

  def check_held(self) -> None:
    """Checks, before a write, that no other run has taken the folder over.

    That can be where the file system has no locks. Only a claimed folder is checked.

    Raises:
      InputError: another run has.
    """
    if self._hold:
      self._hold.check()

  def _unwritable(self, error: OSError) -> InputError:
    return InputError(f"--output {self.path}: {disk.reason(error)}")

  def create(self, config: Mapping[str, object], *, resume: bool) -> None:
    """Makes the folder and writes the config; removes what a replaced run left.

    The stored flow stays: it is reused only where it fits.

    Args:
      config: plain values, as JSON.
      resume: keep everything.

    Raises:
      InputError: the folder cannot be written, or was begun with another config.
    """
    if resume:
      check_same_config(self.path / CONFIG_NAME, config)
      return
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      if self.written.read() or self._replaced:
        self._clear()
      self.written.begin()
      self.written.announce(self.path / CONFIG_NAME)
      write_config(self.path / CONFIG_NAME, config)
    except OSError as error:
      raise self._unwritable(error) from error

  def _clear(self) -> None:
    """Removes the files of the run that was here."""
    if old := removable(self.path, self.written):
      say(f"--overwrite: removes {describe(self.path, old)} from {self.path}")
      listed = {*self.written.files()}
      self.written.remove([path for path in old if path in listed])
    for folder in self._replaced:
      folder.discard()

  def discard(self) -> None:
    """Removes what runs wrote here, and the folder if nothing else is in it.

    The folder is held, and its run ends here: nothing more is written.

    Raises:
      InputError: another run has taken the folder over.
      OSError: a file cannot be removed.
    """
    self.check_held()
    remove_written(self.path, self.written)
    if self._hold:
      self._hold.remove_file()
      self._hold = None
    remove_empty(self.path, self.path.parent)

  def append_metrics(self, row: Mapping[str, object]) -> None:
    """Adds a line to `metrics.jsonl`."""
    self.check_held()
    self.written.announce(self.metrics)
    append_row(self.metrics, row)

  def append_round(self, row: Mapping[str, object]) -> None:
    """Adds a line to `rounds.jsonl`."""
    self.check_held()
    self.written.announce(self.rounds)
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
    self.written.announce(self.path / "preview.png")
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
    for folder, frames in ((self.frames, stitched), (self.full, full)):
      paths: list[Path] = []
      write_images(folder, self._listed(frames, folder, first, paths), first=first)
      self.written.seal(paths)

  def _listed(
    self, frames: Iterable[np.ndarray], folder: Path, first: int, paths: list[Path]
  ) -> Iterator[np.ndarray]:
    """Lists each frame's file before it is written, and collects their paths."""
    for number, frame in enumerate(frames, first):
      self.check_held()
      paths.append(frame_path(folder, number))
      self.written.announce(paths[-1])
      yield frame

  def has_frames(self, first: int, stop: int) -> bool:
    """Whether the frames `first .. stop - 1` were written."""
    return all(
      frame_path(folder, number).exists()
      for folder in (self.frames, self.full)
      for number in range(first, stop)
    )

  def save_tail(self, window: Window, tail: Arrays, *, of: int) -> None:
    """Marks a window as joined; its frames must be written already.

    Args:
      window: from `plan_windows`.
      tail: what it leaves open for the next one.
      of: how many windows there are.
    """
    self.check_held()
    files = self.window_files(window.number, of=of)
    self.written.announce(files.tail)
    files.save_tail(tail)

  def read_tail(self, window: Window, *, of: int) -> Arrays | None:
    """What a joined window has left open.

    Args:
      window: from `plan_windows`.
      of: how many windows there are.

    Returns:
      The tail; None where the window, or one of its frames, is yet to be made.
    """
    tail = self.window_files(window.number, of=of).read_tail()
    whole = tail is not None and self.has_frames(window.first, window.settled)
    return tail if whole else None

  def write_inpainted(self, like: Video) -> str:
    """Writes `inpainted.mp4` from `frames/`, shown and heard as the input is.

    Args:
      like: the input, for its count, times, sound, and how its frames are shown.

    Returns:
      What was left out of the sound, in one line; empty if nothing was.
    """
    path = self.path / INPAINTED_NAME
    self._write_video(path, self.frames, like)
    left_out = add_audio(path, like.audio) if like.audio else ""
    self.written.seal([path])
    return left_out

  def write_full(self, like: Video) -> None:
    """Writes `full.mp4` from `full/`, shown as the input is and silent."""
    path = self.path / FULL_NAME
    self._write_video(path, self.full, like)
    self.written.seal([path])

  def _write_video(self, path: Path, folder: Path, like: Video) -> None:
    """H.264 needs even sides: an odd side's last row or column is repeated."""
    self.check_held()
    self.written.announce(path)
    write_video(
      path,
      ImageSequence(folder, len(like.frames), even=True),
      like.frame_rate,
      timestamps=like.timestamps,
      pixel_aspect=like.pixel_aspect,
      colour=like.colour,
      # The network's own frames are not made of fields.
      field_order=like.field_order if folder == self.frames else None,
    )
