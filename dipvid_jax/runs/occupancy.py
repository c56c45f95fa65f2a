"""Whose files stand where a run would write: its own, another run's, or the user's."""

import collections
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.runs.config_file import CONFIG_NAME, is_of_a_run
from dipvid_jax.storage.written import LIST_NAME, WrittenFiles

_FILES = (
  CONFIG_NAME,
  "inpainted.mp4",
  "full.mp4",
  "preview.png",
  "metrics.jsonl",
  "rounds.jsonl",
  "report.html",
)
_FLOW = "flow"
# Here each window of a long clip may have a run of its own, with a list of its own.
WINDOWS = "windows"
# What a run writes into each of its folders. Other files there are never touched.
_WINDOW = r"(?:window_\d+/)?"
_FOLDERS = {
  "frames": re.compile(r"\d{5,}\.png"),
  "full": re.compile(r"\d{5,}\.png"),
  "report": re.compile(
    r"(?:before|after|full)\.mp4|slice-(?:before|after|full)\.jpg|facts\.json"
    r"|window-\d+-round-\d+\.jpg"
  ),
  "checkpoints": re.compile(rf"{_WINDOW}\d+/.+|window(?:_\d+)?_tail\.npz"),
  _FLOW: re.compile(rf"{_WINDOW}(?:stride_\d+_\w+\.npy|(?:made_from|checksums)\.json)"),
}
_SHOWN = 3  # names in a message


def check_inputs(folder: Path, inputs: Mapping[str, Path]) -> None:
  """Checks that a run would not write where its own input is.

  Places are compared by what they are, not by their names: relative paths and links
  lead to the same.

  Args:
    folder: of the run; it may be missing.
    inputs: what the run reads, by the flag that named it; they may be missing.

  Raises:
    InputError: an input is the folder itself, or is in a place that a run writes to.
  """
  names = (*_FILES, *_FOLDERS, WINDOWS, LIST_NAME)
  places = {_identity(folder / name): name for name in names}
  for flag, path in inputs.items():
    for whole in _targets(path):
      if whole.is_dir() and _identity(whole) == _identity(folder):
        raise InputError(
          f"--output {folder}: is the folder of {flag}; name another folder, such as"
          f" {folder / 'inpainted'}"
        )
      for part in (whole, *whole.parents):
        if name := places.get(_identity(part)):
          raise InputError(
            f"--output {folder}: the run would write to {folder / name}, where {flag}"
            f" {path} is; name another folder"
          )


def _targets(path: Path) -> Iterator[Path]:
  """What an input is without links, with the links in a folder; none if it is gone."""
  with contextlib.suppress(OSError, ValueError, RuntimeError):  # reading will say why
    whole = path.resolve(strict=True)
    yield whole
    if whole.is_dir():
      yield from (held.resolve() for held in whole.iterdir() if held.is_symlink())


def _identity(path: Path) -> tuple[int, int] | None:
  """What a path leads to; None where there is nothing."""
  try:
    status = path.stat()
  except (OSError, ValueError):
    return None
  return status.st_dev, status.st_ino


def check_occupancy(
  folder: Path, written: WrittenFiles, *, overwrite: bool, resume: bool
) -> None:
  """Checks that a run can begin or continue without loss of any file.

  Args:
    folder: of the run; it may be missing.
    written: the list in that folder, which is read here.
    overwrite: files of another run may be removed.
    resume: the folder's own run is resumed.

  Raises:
    InputError: it is a file, holds another run or files of the user's where a run
      writes, or has no run to resume.
  """
  if folder.exists() and not folder.is_dir():
    raise InputError(f"--output {folder}: is a file; name a folder")
  has_run, has_list = (folder / CONFIG_NAME).exists(), written.read()
  if resume and not has_run:
    raise InputError(f"--output {folder}: holds no run to resume; leave out --resume")
  if not has_list:
    if not resume:
      _check_nothing_held(folder)
    return
  losses = removable(folder, written)
  if losses and not resume and not overwrite:
    continued = "--resume to continue it or " if has_run else ""
    raise InputError(
      f"--output {folder}: holds another run; name another folder, or add {continued}"
      f"--overwrite to replace it, which removes {describe(folder, losses)}"
    )
  _check_strangers(folder, written, links=not resume)


def _check_nothing_held(folder: Path) -> None:
  """Refuses a folder without a list in which a run's names are taken."""
  names = (*_FILES, *_FOLDERS, LIST_NAME)
  held = [name for name in names if _is_taken(folder / name)]
  if not held:
    return
  shown = ", ".join(held)
  if is_of_a_run(folder / CONFIG_NAME):
    raise InputError(
      f"--output {folder}: holds another run ({shown}), of a version that kept no list"
      f" of its files, so nothing is removed; name another folder, add --resume to"
      f" continue it, or remove these yourself"
    )
  raise InputError(
    f"--output {folder}: holds {shown}, which no run wrote, and nothing of it is"
    " touched; name another folder"
  )


def _is_taken(path: Path) -> bool:
  return path.exists() or path.is_symlink()


def _check_strangers(folder: Path, written: WrittenFiles, *, links: bool) -> None:
  """Refuses files that a run would write over and that none wrote."""
  strangers = [
    path
    for path in _where_runs_write(folder)
    if not written.owns(path) or (links and written.is_linked(path))
  ]
  if strangers:
    raise InputError(
      f"--output {folder}: {_names(folder, strangers)} would be written over, but is"
      " not as a run left it; move it away, or name another folder"
    )


def _where_runs_write(folder: Path) -> Iterator[Path]:
  """The files in a folder that have the name of a run's file."""
  yield from (folder / name for name in _FILES if _is_taken(folder / name))
  for name, pattern in _FOLDERS.items():
    place = folder / name
    if _is_taken(place) and not place.is_dir():
      yield place
    for path in sorted(place.rglob("*")):
      inside = path.relative_to(place).as_posix()
      if pattern.fullmatch(inside) and (path.is_symlink() or not path.is_dir()):
        yield path


def removable(folder: Path, written: WrittenFiles) -> list[Path]:
  """The files of a run that `--overwrite` removes, those of its windows' runs included.

  Its flow stays: it is reused only where it fits.

  Args:
    folder: of the run.
    written: the list in that folder, which has been read.

  Returns:
    Paths, `config.json` first: without it what is left can no longer be resumed.
  """
  files = [
    path for path in written.files() if path.relative_to(folder).parts[0] != _FLOW
  ]
  for place in window_folders(folder):
    held = WrittenFiles(place)
    held.read()
    files += held.files()
  return sorted(files, key=lambda path: (path != folder / CONFIG_NAME, path))


def window_folders(folder: Path) -> list[Path]:
  """The folders in which windows of a run have runs of their own, in order.

  Args:
    folder: of the run; it may be missing.

  Returns:
    Those with a list of files, and not behind links.
  """
  place = folder / WINDOWS
  if place.is_symlink():
    return []
  found = [held.parent for held in place.glob(f"*/{LIST_NAME}")]
  return sorted(p for p in found if p.name.isdecimal() and not p.is_symlink())


def describe(folder: Path, files: Iterable[Path]) -> str:
  """Files in one line, those in folders counted."""
  parts = [path.relative_to(folder).parts for path in files]
  counts = collections.Counter(f"{p[0]}/" if len(p) > 1 else p[0] for p in parts)
  return ", ".join(
    f"{name} ({count} file{'s' * (count > 1)})" if name.endswith("/") else name
    for name, count in counts.items()
  )


def _names(folder: Path, files: list[Path]) -> str:
  shown = [str(path.relative_to(folder)) for path in files[:_SHOWN]]
  if len(files) > _SHOWN:
    shown.append(f"{len(files) - _SHOWN} more files")
  return ", ".join(shown)
