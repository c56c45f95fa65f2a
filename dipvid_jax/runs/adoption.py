"""A window that ran alone becomes a part of its clip's run.

Its rows and states go to where a run of the whole clip has them. Every step can be done
again: what an interrupted adoption has left in the window's folder is moved the next
time, and the window's arrays stay there to the end.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from dipvid_jax.report.parts import strip_name
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.window_folder import WindowFolder
from dipvid_jax.runs.windows import Window
from dipvid_jax.storage.rows import read_rows, replace_rows
from flow.store import move_stored_flow, stored_files

_STATE = re.compile(r"\d+(?:\.unreadable)?")  # of `Checkpoints`


def adopt(
  part: WindowFolder,
  folder: RunFolder,
  *,
  window: Window,
  of: int,
  strides: Sequence[int],
) -> None:
  """Moves what a window's own run wrote into the folder of the clip's run.

  Args:
    part: of the window's run, held.
    folder: of the clip's run, held.
    window: from `plan_windows`.
    of: how many windows there are.
    strides: of the stored flow.

  Raises:
    InputError: another run has taken one of the folders over.
    OSError: a file cannot be written.
  """
  folder.check_held()
  part.check_held()
  _copy_rows(part, folder, window)
  _move_pictures(part, folder, window)
  files = folder.window_files(window.number, of=of)
  own = part.window_files(window.number, of=of)
  _move_states(own.checkpoints, files.checkpoints, folder)
  if strides:
    folder.written.announce(*stored_files(files.flow, strides))
    move_stored_flow(own.flow, files.flow, strides=strides)


def _copy_rows(part: WindowFolder, folder: RunFolder, window: Window) -> None:
  for name in ("metrics", "rounds"):
    rows, path = read_rows(getattr(part, name)), getattr(folder, name)
    if rows:
      folder.written.announce(path)
    replace_rows(path, rows, window=window.number + 1)


def _move_pictures(part: WindowFolder, folder: RunFolder, window: Window) -> None:
  """Moves the frames after some rounds, and the preview of the latest window."""
  rounds = {int(row.get("round", 0)) for row in read_rows(part.rounds)}
  names = [f"report/{strip_name(window.number + 1, number)}" for number in rounds]
  for name in ("preview.png", *sorted(names)):
    if (part.path / name).exists():
      folder.written.announce(folder.path / name)
      (folder.path / name).parent.mkdir(exist_ok=True)
      shutil.move(part.path / name, folder.path / name)


def _move_states(source: Path, target: Path, folder: RunFolder) -> None:
  """Moves checkpoint after checkpoint; one of the same updates is replaced."""
  states = source.iterdir() if source.is_dir() else ()
  for state in sorted(path for path in states if _STATE.fullmatch(path.name)):
    goal = target / state.name
    inside = [p.relative_to(state) for p in state.rglob("*") if not p.is_dir()]
    folder.written.announce(*(goal / name for name in inside))
    target.mkdir(parents=True, exist_ok=True)
    if goal.exists():  # half of it, from another disk
      shutil.rmtree(goal)
    shutil.move(state, goal)
