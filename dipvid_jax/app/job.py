"""The one piece of work that the page waits for: its progress, its end, a stop."""

import threading
from collections.abc import Callable
from typing import Any

from dipvid_jax.errors import DivergedError, InputError, UnfinishedError
from dipvid_jax.storage import disk


class StoppedError(Exception):
  """The user stopped the work."""


class Job:
  """Work in a thread of its own.

  Attributes:
    kind: what it does: open, propagate or inpaint.
    total: pieces of work; 0 where it is not known.
    done: of them.
    state: running, done, failed or stopped.
    message: one line for the user.
  """

  def __init__(self, kind: str, work: Callable[["Job"], str], *, total: int = 0):
    """Begins the work.

    Args:
      kind: what it does.
      work: is given the job; returns the line to show at the end.
      total: pieces of work.
    """
    self.kind, self.total, self.done = kind, total, 0
    self.state, self.message = "running", ""
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
    self._thread.start()

  def advance(self, pieces: int) -> None:
    """Counts finished pieces.

    Raises:
      StoppedError: the user wants no more.
    """
    self.done += pieces
    if self._stop.is_set():
      raise StoppedError

  @property
  def is_stopping(self) -> bool:
    """Whether the user asked for the end."""
    return self._stop.is_set()

  def stop(self) -> None:
    """Asks the work to end at its next piece."""
    self._stop.set()

  def wait(self, seconds: float | None = None) -> None:
    """Waits for the end."""
    self._thread.join(seconds)

  def describe(self) -> dict[str, Any]:
    """The job as the page reads it."""
    names = ("kind", "done", "total", "state", "message")
    return {name: getattr(self, name) for name in names}

  def _run(self, work: Callable[["Job"], str]) -> None:
    try:
      line, state = work(self), "done"
    except StoppedError:
      line, state = "stopped", "stopped"
    except (InputError, DivergedError, UnfinishedError) as error:
      line, state = str(error), "failed"
    except OSError as error:
      line, state = f"{error.filename or 'a file'}: {disk.reason(error)}", "failed"
    except MemoryError:
      line, state = "no memory left; use a shorter or smaller clip", "failed"
    except Exception as error:  # the page must hear of it, or it waits for ever
      self.message, self.state = f"{type(error).__name__}: {error}", "failed"
      raise
    self.message, self.state = line, state
