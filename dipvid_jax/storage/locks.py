"""One writer for a folder at a time."""

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import TextIO

from dipvid_jax.errors import InputError

_NAME = ".lock"
# Some network file systems have no locks; a run there goes on without.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def sole_writer(folder: pathlib.Path) -> Iterator[None]:
  """Holds a folder for this process; the kernel lets go of it when the process ends.

  The lock is on the file `.lock` in the folder, which stays there: a file that came
  and went could be locked by two processes under one name.

  Args:
    folder: it exists.

  Raises:
    InputError: another process, or another run of this one, holds the folder.
    OSError: the file cannot be made.
  """
  with (folder / _NAME).open("a+") as file:
    _lock(file, fcntl.LOCK_EX, folder)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    yield


def check_free(folder: pathlib.Path) -> None:
  """Makes sure that no run holds a folder now; it may be missing.

  Raises:
    InputError: one does.
  """
  with contextlib.suppress(OSError), (folder / _NAME).open() as file:
    _lock(file, fcntl.LOCK_SH, folder)


def _lock(file: TextIO, kind: int, folder: pathlib.Path) -> None:
  try:
    fcntl.flock(file, kind | fcntl.LOCK_NB)
  except BlockingIOError as error:
    file.seek(0)
    holder = file.read().strip() or "just begun"
    raise InputError(
      f"--output {folder}: another run (process {holder}) is writing there; wait for"
      " it, or name another folder"
    ) from error
  except OSError as error:
    if error.errno not in _NO_LOCKS:
      raise
