"""One writer for a folder at a time."""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import secrets
import socket
from collections.abc import Iterator
from typing import TextIO

from dipvid_jax.errors import BusyError, InputError

_NAME = ".lock"
# What a lock's file holds: a process, its host and a token; a process alone in files of
# older versions; or nothing.
_HOLDER = re.compile(r"(?:(\d+)(?: ([\w.-]+) [0-9a-f]+)?\n?)?", re.ASCII)
# Some network file systems have no locks; runs there do without.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_TRIES = 5  # at a file that is removed between its opening and its locking


class Hold:
  """A folder that this run holds.

  Where a file system has no locks, or each host locks for itself, a second run can take
  the folder over. `check` notices it: the file no longer has this run's token.
  """

  def __init__(self, folder: pathlib.Path, content: str):
    """Keeps what tells this hold from any other; `sole_writer` makes it.

    Args:
      folder: that is held.
      content: of the lock's file.
    """
    self._folder = folder
    self._content = content

  def check(self) -> None:
    """Checks that no other run has taken the folder over; called before each write.

    Raises:
      InputError: another run has.
      OSError: the lock's file cannot be read.
    """
    try:
      # Opened each time: only then does a network file system ask its server.
      found = (self._folder / _NAME).read_text(errors="replace")
    except FileNotFoundError:
      found = ""
    if found != self._content:
      raise InputError(
        f"--output {self._folder}: another run{_named(found)} has taken over this"
        " folder; this one stops"
      )

  def remove_file(self) -> None:
    """Deletes the lock's file, as the last thing that a run does in a folder."""
    (self._folder / _NAME).unlink(missing_ok=True)


@contextlib.contextmanager
def sole_writer(folder: pathlib.Path) -> Iterator[Hold]:
  """Locks a folder for this process; the kernel unlocks it when the process ends.

  The lock is on the file `.lock` in the folder. Nobody but its holder deletes that
  file, and whoever locks a file that is no longer in the folder opens it again:
  otherwise two processes could each lock a file of that name.

  Args:
    folder: an existing folder.

  Yields:
    The hold, to be checked before each write.

  Raises:
    BusyError: another process, or another run in this one, holds the lock.
    InputError: the file is not a lock's.
    OSError: the file cannot be created.
  """
  with _locked(folder) as file:
    file.seek(0)
    if not _HOLDER.fullmatch(file.read()):
      raise InputError(
        f"--output {folder}: holds a file {_NAME} that no run wrote; name another"
        " folder"
      )
    content = f"{os.getpid()} {_host()} {secrets.token_hex(16)}\n"
    file.truncate(0)
    file.write(content)
    file.flush()
    os.fsync(file.fileno())  # other hosts see it now, not when it is closed
    yield Hold(folder, content)


def check_free(folder: pathlib.Path) -> None:
  """Checks that no run is writing to a folder; the folder may be missing.

  Raises:
    BusyError: a run is.
  """
  with contextlib.suppress(OSError), (folder / _NAME).open(errors="replace") as file:
    _lock(file, fcntl.LOCK_SH, folder)


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[TextIO]:
  path = folder / _NAME
  for tries_left in reversed(range(_TRIES)):
    with path.open("a+", errors="replace") as file:
      _lock(file, fcntl.LOCK_EX, folder)
      if _is_at(file, path) or not tries_left:
        yield file
        return


def _is_at(file: TextIO, path: pathlib.Path) -> bool:
  try:
    return os.path.samestat(os.fstat(file.fileno()), path.stat())
  except FileNotFoundError:
    return False


def _lock(file: TextIO, kind: int, folder: pathlib.Path) -> None:
  try:
    fcntl.flock(file, kind | fcntl.LOCK_NB)
  except BlockingIOError as error:
    file.seek(0)
    holder = _named(file.read()) or " (process just started)"
    raise BusyError(
      f"--output {folder}: another run{holder} is writing there; wait until it ends,"
      " or name another folder"
    ) from error
  except OSError as error:
    if error.errno not in _NO_LOCKS:
      raise


def _named(content: str) -> str:
  """Who wrote a lock's file, in brackets; its host where that is not this one."""
  match = _HOLDER.fullmatch(content)
  if not match or not match[1]:
    return ""
  host = f" on {match[2]}" if match[2] and match[2] != _host() else ""
  return f" (process {match[1]}{host})"


def _host() -> str:
  return re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII) or "-"
