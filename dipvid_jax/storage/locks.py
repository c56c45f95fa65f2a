"""One writer for a folder at a time."""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
from collections.abc import Iterator
from typing import TextIO

from dipvid_jax.errors import InputError

_NAME = ".lock"
_HOLDER = re.compile(r"(?:\d+\n?)?")  # what a lock's file holds: a process, or nothing
# Some network file systems have no locks; runs there do without.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def sole_writer(folder: pathlib.Path) -> Iterator[None]:
  """Locks a folder for this process; the kernel unlocks it when the process ends.

  The lock is on the file `.lock` in the folder. That file is never deleted: if it
  were, two processes could each lock a file of that name.

  Args:
    folder: an existing folder.

  Raises:
    InputError: another process, or another run in this one, holds the lock; or the
      file is not a lock's.
    OSError: the file cannot be created.
  """
  with (folder / _NAME).open("a+", errors="replace") as file:
    _lock(file, fcntl.LOCK_EX, folder)
    file.seek(0)
    if not _HOLDER.fullmatch(file.read()):
      raise InputError(
        f"--output {folder}: holds a file {_NAME} that no run wrote; name another"
        " folder"
      )
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    yield


def check_free(folder: pathlib.Path) -> None:
  """Checks that no run is writing to a folder; the folder may be missing.

  Raises:
    InputError: a run is.
  """
  with contextlib.suppress(OSError), (folder / _NAME).open(errors="replace") as file:
    _lock(file, fcntl.LOCK_SH, folder)


def _lock(file: TextIO, kind: int, folder: pathlib.Path) -> None:
  try:
    fcntl.flock(file, kind | fcntl.LOCK_NB)
  except BlockingIOError as error:
    file.seek(0)
    holder = file.read().strip() or "just started"
    raise InputError(
      f"--output {folder}: another run (process {holder}) is writing there; wait until"
      " it ends, or name another folder"
    ) from error
  except OSError as error:
    if error.errno not in _NO_LOCKS:
      raise
