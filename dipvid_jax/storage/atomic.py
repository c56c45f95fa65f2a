"""Files that appear under their name only when they are whole."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Gives a temporary name beside `path` and renames it to `path` at the end.

  The name is hidden, so a folder of images never counts a file half written.

  Args:
    path: the file to write or replace.

  Yields:
    The name to write to, in the same folder. It takes `path`'s place when the block
    ends, and is removed when the block raises.

  Raises:
    OSError: it cannot be written; the error names `path`.
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
