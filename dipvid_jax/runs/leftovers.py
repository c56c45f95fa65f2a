"""What runs leave in a folder when they are killed, and when they are to be removed."""

import contextlib
import itertools
import re
import shutil
from pathlib import Path

from dipvid_jax.storage.atomic import PARTIAL
from dipvid_jax.storage.written import LIST_NAME, WrittenFiles

_SCRATCH = re.compile(r"\.flow-\w{8}")  # of `stored_video_flow`
_FILLED = ("frames", "full", "report", "checkpoints", "flow")


def sweep(folder: Path) -> None:
  """Removes the partial files of a killed run; none is being written now.

  Args:
    folder: of the run, held.
  """
  for path in (*folder.iterdir(), *(folder / "flow").glob("*")):
    if _SCRATCH.fullmatch(path.name) and [p.name for p in path.iterdir()] == ["flow"]:
      shutil.rmtree(path)
  inside = ((folder / name).rglob(".*") for name in _FILLED)
  for path in list(itertools.chain(folder.iterdir(), *inside)):
    if PARTIAL.fullmatch(path.name) and path.is_file():
      path.unlink()


def remove_written(folder: Path, written: WrittenFiles) -> None:
  """Removes all that runs wrote into a folder, and their list.

  Args:
    folder: of the run, held.
    written: its list.

  Raises:
    OSError: a file cannot be removed.
  """
  sweep(folder)
  written.read()
  written.remove(written.files())
  (folder / LIST_NAME).unlink(missing_ok=True)
  for name in _FILLED:
    remove_empty(*(folder / name).glob("window_*"), folder / name)


def remove_empty(*folders: Path) -> None:
  """Removes folders that are there and hold nothing."""
  for folder in folders:
    with contextlib.suppress(OSError):
      folder.rmdir()
