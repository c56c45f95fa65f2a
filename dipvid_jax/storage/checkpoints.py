"""A run's training states, saved by orbax, each with checksums of its files."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import jax
import orbax.checkpoint as ocp

from dipvid_jax.storage.atomic import replacing
from dipvid_jax.storage.checkpoint_steps import CHECKSUMS
from dipvid_jax.types import HasStep

State = TypeVar("State", bound=HasStep)


class Checkpoints:
  """The last few states of a run, each saved completely or not at all."""

  def __init__(self, folder: str | Path, *, keep: int = 2):
    """Opens a folder of checkpoints.

    Args:
      folder: their folder, created if it is missing.
      keep: number of checkpoints to keep, the latest.
    """
    options = ocp.CheckpointManagerOptions(
      max_to_keep=keep,
      enable_async_checkpointing=False,
      cleanup_tmp_directories=True,  # left by a process killed while saving
    )
    self._place = Path(folder)
    self._folder = self._place.resolve()
    self._files = contextlib.ExitStack()
    self._manager = ocp.CheckpointManager(
      self._files.enter_context(_utf8_path(self._folder)),
      options=options,
      item_handlers=ocp.StandardCheckpointHandler(),
    )

  def place(self, step: int) -> Path:
    """The folder of the checkpoint of a number of updates."""
    return self._place / str(step)

  def save(self, state: HasStep) -> None:
    """Saves a state under its number of updates.

    Raises:
      OSError: it cannot be written, or the disk is too full.
    """
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    if shutil.disk_usage(self._folder).free < size:
      # Checked first because orbax's threads report it at length.
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
    try:
      self._manager.save(int(state.step), args=ocp.args.StandardSave(state))
    except ValueError as error:  # how tensorstore reports errors of the system
      reason = str(error).splitlines()[0]
      full = os.strerror(errno.ENOSPC) in reason
      code = errno.ENOSPC if full else errno.EIO
      raise OSError(code, reason, str(self._folder)) from error
    _write_checksums(self._folder / str(int(state.step)))

  def restore_latest(
    self, like: State, *, on_damaged: Callable[[int, Exception], None]
  ) -> State | None:
    """Reads the latest readable state.

    Unreadable checkpoints are renamed to `<updates>.unreadable`.

    Args:
      like: a state of the same shapes and dtypes.
      on_damaged: called with the number of updates of an unreadable checkpoint and
        the reason, before an earlier one is tried.

    Returns:
      The state; None if no checkpoint is readable.
    """
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
    for step in sorted(self._manager.all_steps(), reverse=True):
      try:
        # Orbax notices little of the damage to its files, and some of it late.
        _check_checksums(self._folder / str(step))
        return self._manager.restore(step, args=ocp.args.StandardRestore(target))
      except Exception as error:  # orbax can fail in any way
        on_damaged(step, error)
        self._put_aside(step)
    return None

  def _put_aside(self, step: int) -> None:
    """Renames a checkpoint, which frees its number and keeps its files."""
    aside = self._folder / f"{step}.unreadable"
    shutil.rmtree(aside, ignore_errors=True)
    (self._folder / str(step)).rename(aside)
    self._manager.reload()

  def close(self) -> None:
    """Waits for pending writes."""
    self._manager.close()
    self._files.close()


@contextlib.contextmanager
def _utf8_path(folder: Path) -> Iterator[Path]:
  """A path to a folder that orbax takes, which wants every name in UTF-8."""
  try:
    str(folder).encode()
    yield folder
  except UnicodeEncodeError:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dipvid-") as scratch:
      link = Path(scratch) / "checkpoints"
      link.symlink_to(folder, target_is_directory=True)
      yield link


def _write_checksums(checkpoint: Path) -> None:
  with replacing(checkpoint / CHECKSUMS) as partial:
    partial.write_text(_checksums(checkpoint))


def _check_checksums(checkpoint: Path) -> None:
  """Raises a ValueError that names a file which has changed since it was written."""
  written = set((checkpoint / CHECKSUMS).read_text().splitlines())
  differing = written ^ set(_checksums(checkpoint).splitlines())
  if differing or not written:
    name = min(line.partition("  ")[2] for line in differing or [f"  {CHECKSUMS}"])
    raise ValueError(f"{name} is not as it was written")


def _checksums(checkpoint: Path) -> str:
  """A line for each file: SHA-256, two spaces, its path in the checkpoint."""
  lines = []
  for path in sorted(checkpoint.rglob("[!.]*")):
    if path.is_file() and path.name != CHECKSUMS:
      name = path.relative_to(checkpoint).as_posix()
      with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
      lines.append(f"{digest}  {name}\n")
  return "".join(lines)
