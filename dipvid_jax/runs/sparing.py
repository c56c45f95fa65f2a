"""What fails beside the training costs one line."""

import contextlib
from collections.abc import Iterator

from dipvid_jax.terminal import say


@contextlib.contextmanager
def spared(what: str) -> Iterator[None]:
  """Spares the training what fails in a block that it does not depend on.

  Args:
    what: the block makes, as in "preview.png".

  Raises:
    OSError: the block cannot write: neither could the next checkpoint.
  """
  try:
    yield
  except OSError:
    raise
  except Exception as error:  # anything, a bug of ours included, costs less than hours
    say(f"{what}: left out for now ({one_line(error)}); the run continues")


def one_line(error: Exception) -> str:
  """An error in one line; its kind as well, because the words alone can be short."""
  line = next(iter(str(error).splitlines()), "")
  return f"{type(error).__name__}: {line}" if line else type(error).__name__
