"""A command as a process of its own, which Ctrl-C ends at any moment."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from dipvid_jax.cli.command import INTERRUPTED

if TYPE_CHECKING:
  from sys import UnraisableHookArgs

_AGAIN_AFTER = 0.01  # seconds: the callback that ignored the interrupt is over


def as_process(main: Callable[[], int]) -> Callable[[], NoReturn]:
  """Makes of a command's `main` what ends the process with its exit code.

  An interrupted process ends at once. Python's usual end takes down the backend
  while it computes what nobody waits for any more (a segmentation fault), and
  checkpoints that are being written complain; an unfinished one is dropped when the
  run is resumed.

  Args:
    main: returns the exit code; its errors and Ctrl-C are handled (`run_command`).

  Returns:
    The function for a console script.
  """

  def process() -> NoReturn:
    sys.unraisablehook = _interrupting_again(sys.unraisablehook)
    code = main()
    if code == INTERRUPTED:
      sys.stdout.flush()
      sys.stderr.flush()
      os._exit(code)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the code is that of what was done
    sys.exit(code)

  return process


def _interrupting_again(
  report: "Callable[[UnraisableHookArgs], object]",
) -> "Callable[[UnraisableHookArgs], object]":
  """Repeats a Ctrl-C that fell into a callback, whose errors Python only reports.

  JAX has such a callback in each garbage collection, so that is one in ten.
  """

  def hook(unraisable: "UnraisableHookArgs") -> None:
    if unraisable.exc_type is not KeyboardInterrupt:
      report(unraisable)
      return
    arguments = (os.getpid(), signal.SIGINT)
    threading.Timer(_AGAIN_AFTER, os.kill, arguments).start()

  return hook
