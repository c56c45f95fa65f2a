"""A disk without room."""

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
  """Whether an error says that a disk, or the user's share of it, is full."""
  return isinstance(error, OSError) and error.errno in _FULL


def reason(error: OSError) -> str:
  """What a message says of an error of writing: the system's words, and if it is full.

  Args:
    error: of the system.

  Returns:
    "disk full (...)" or "cannot be written (...)".
  """
  what = "disk full" if is_full(error) else "cannot be written"
  return f"{what} ({error.strerror or error})"
