"""Files that appear under their name only once they are complete."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator

PARTIAL = re.compile(r"\..+\.\d+\.partial")
"""The names under which `replacing` writes; a killed process leaves such files."""


@contextlib.contextmanager
def naming(path: pathlib.Path) -> Iterator[None]:
  """Gives the system's errors in a block a file's name where they have none.

  Args:
    path: the file or folder that the block writes.

  Raises:
    OSError: as the block, with a name.
  """
  try:
    yield
  except OSError as error:
    if error.filename:
      raise
    raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a temporary path beside `path` and renames it to `path` at the end.

  Its name is hidden, so a folder of images never counts an incomplete file.

  Args:
    path: the file to write or replace.

  Yields:
    The path to write to, in the same folder. It replaces `path` when the block ends,
    and is removed if the block raises.

  Raises:
    OSError: the file cannot be written; the error names `path`.
  """
  partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
  try:
    yield partial
    partial.replace(path)
  except OSError as error:
    partial.unlink(missing_ok=True)
    reason = error.strerror or str(error)
    raise OSError(error.errno, reason, str(path)) from error
  except BaseException:
    partial.unlink(missing_ok=True)
    raise
