"""The list of the files that a run wrote: these may be removed, and no others."""

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from dipvid_jax.storage.atomic import naming, replacing

LIST_NAME = "written.txt"
_HEADER = "# dipvid_jax wrote these files: --overwrite removes them and no others"
_LINE = re.compile(r"(-|\d+)  (.+)")
_ANY_SIZE = "-"


class WrittenFiles:
  """`written.txt` in a folder: a line for each file, its size in bytes and its name.

  A name is listed before the file is written, and its size after that: a file of
  another size is no longer what was written. Files that grow have no size ("-"). A
  name that ends in a slash is a folder that one call creates and fills.

  Folders of older versions have no list. Nothing is then listed either, because a
  list without their older files would tell less than none.
  """

  def __init__(self, folder: Path):
    """Names the list; reads nothing yet.

    Args:
      folder: that holds the files and the list.
    """
    self._folder = folder
    self._path = folder / LIST_NAME
    self._sizes: dict[str, str] = {}
    self._is_kept: bool | None = None  # not known before it is read

  def read(self) -> bool:
    """Reads the list again.

    Returns:
      Whether there is one.
    """
    self._sizes, self._is_kept = {}, False
    try:
      text = self._path.read_text(encoding="ascii", errors="replace")
    except OSError:
      return False
    header, *lines = text.split("\n")[:-1] or [""]  # a line cut short does not count
    if header != _HEADER:
      return False
    for line in lines:
      if match := _LINE.fullmatch(line):
        self._sizes[match[2]] = match[1]
    self._is_kept = True
    return True

  def begin(self) -> None:
    """Starts a list with those files of the present one that are still there.

    Raises:
      OSError: it cannot be written.
    """
    kept = [self._name(path) for path in self.files()]
    lines = [f"{self._sizes.get(name, _ANY_SIZE)}  {name}" for name in kept]
    with replacing(self._path) as partial:
      partial.write_text("\n".join([_HEADER, *lines, ""]), encoding="ascii")
    self.read()

  def announce(self, *paths: Path) -> None:
    """Lists files of any size that are about to be written.

    Raises:
      OSError: the list cannot be written.
    """
    self._add({self._name(path): _ANY_SIZE for path in paths})

  def announce_folder(self, path: Path) -> None:
    """Lists a folder that is about to be created, with all that will be in it.

    Raises:
      OSError: the list cannot be written.
    """
    self._add({f"{self._name(path)}/": _ANY_SIZE})

  def seal(self, paths: Iterable[Path]) -> None:
    """Lists the sizes of files that have just been written.

    Raises:
      OSError: a file is missing, or the list cannot be written.
    """
    self._add({self._name(path): str(path.stat().st_size) for path in paths})

  def seal_folder(self, path: Path) -> None:
    """Lists what a folder holds that was announced: what comes later is not ours.

    Raises:
      OSError: the list cannot be written.
    """
    self.announce(*_files_below(path))

  def owns(self, path: Path) -> bool:
    """Whether a file is listed and of the size that it was written with."""
    name = self._name(path)
    if name in self._sizes:
      return _is_file(path, self._sizes[name])
    return any(name.startswith(folder) for folder in self._open_folders())

  def files(self) -> list[Path]:
    """The listed files that are there, as they were written and not behind links."""
    listed = [self._folder / name for name in self._sizes if not name.endswith("/")]
    found = [path for path in listed if self.owns(path) and not self.is_linked(path)]
    for name in self._open_folders():
      if not self.is_linked(self._folder / name):
        found += _files_below(self._folder / name)
    return found

  def remove(self, files: Iterable[Path]) -> None:
    """Removes files, and the folders of listed files that are then empty.

    Args:
      files: some of those that `files` gives, in the order to remove them.

    Raises:
      OSError: a file cannot be removed.
    """
    for path in files:
      path.unlink(missing_ok=True)
    for place in sorted(self._folders(), key=lambda path: -len(path.parts)):
      with contextlib.suppress(OSError):  # it holds other files, or is gone
        place.rmdir()

  def _folders(self) -> set[Path]:
    """The folders that listed files stand in, and those within listed folders."""
    places = {parent for name in self._sizes for parent in Path(name).parents}
    found = {self._folder / place for place in places - {Path()}}
    for name in self._sizes:
      if name.endswith("/"):
        found |= {Path(place) for place, _, _ in os.walk(self._folder / name)}
    return found

  def is_linked(self, path: Path) -> bool:
    """Whether a path leads out of the folder through a symbolic link."""
    parts = path.relative_to(self._folder).parts
    steps = (self._folder.joinpath(*parts[: i + 1]) for i in range(len(parts)))
    return any(step.is_symlink() for step in steps)

  def _open_folders(self) -> list[str]:
    """The folders that a killed run was filling: their files are not listed."""
    sealed = {f"{parent}/" for name in self._sizes for parent in Path(name).parents}
    return [name for name in self._sizes if name.endswith("/") and name not in sealed]

  def _add(self, sizes: dict[str, str]) -> None:
    if self._is_kept is None:
      self.read()
    new = {name: size for name, size in sizes.items() if self._sizes.get(name) != size}
    if not new or not self._is_kept:
      return
    lines = "".join(f"{size}  {name}\n" for name, size in new.items()).encode("ascii")
    with naming(self._path), self._path.open("rb+") as file:
      file.seek(-1, os.SEEK_END)
      after_whole_line = file.read() == b"\n"
      file.write(lines if after_whole_line else b"\n" + lines)
    self._sizes |= new

  def _name(self, path: Path) -> str:
    return path.relative_to(self._folder).as_posix()


def _files_below(folder: Path) -> list[Path]:
  return [Path(place) / name for place, _, names in os.walk(folder) for name in names]


def _is_file(path: Path, size: str) -> bool:
  try:
    status = path.stat()
  except OSError:
    return False
  return stat.S_ISREG(status.st_mode) and size in (_ANY_SIZE, str(status.st_size))
