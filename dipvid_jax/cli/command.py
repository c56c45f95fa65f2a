"""What all commands share: a parser, and errors as one line with an exit code."""

import argparse
import codecs
import io
import sys
from collections.abc import Callable
from typing import NoReturn

from dipvid_jax.errors import DivergedError, InputError, UnfinishedError
from dipvid_jax.storage import disk

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
  """Reports a wrong flag in one line, as all other errors."""

  def __init__(self, prog: str, *, description: str, epilog: str = ""):
    """Makes a parser without abbreviations, whose epilog keeps its lines.

    Args:
      prog: the command's name.
      description: what it does.
      epilog: examples, shown after the flags.
    """
    super().__init__(
      prog=prog,
      description=description,
      epilog=epilog,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False,
    )

  def error(self, message: str) -> NoReturn:
    """Ends the process with one line."""
    self.exit(BAD_INPUT, f"{self.prog}: {message}; see --help\n")


def run_command(
  prog: str, work: Callable[[], None], *, kept: str = "", resume: str = ""
) -> int:
  """Does a command's work; what it raises becomes one line and an exit code.

  Args:
    prog: the command's name.
    work: all that the command does.
    kept: what is left after an error, as "the checkpoints are kept".
    resume: how to continue, as "the same command continues".

  Returns:
    0 done, 1 diverged or a result could not be made, 2 bad input or a full disk, 130
    Ctrl-C.
  """
  _take_any_name()
  try:
    work()
    return DONE
  except InputError as error:
    code, line = BAD_INPUT, str(error)
  except DivergedError as error:
    code, line = FAILED, _join(str(error), kept)
  except UnfinishedError as error:
    code, line = FAILED, _join(str(error), kept, resume)
  except MemoryError as error:
    code, line = BAD_INPUT, f"{error or 'no memory left'}; use a smaller --size"
  except OSError as error:  # most often a full disk
    place = f"{error.filename}: " if error.filename else ""
    code = BAD_INPUT if disk.is_full(error) else FAILED
    line = _join(f"{place}{disk.reason(error)}", kept, resume)
  except KeyboardInterrupt:
    code, line = INTERRUPTED, _join("interrupted", resume)
  print(f"{prog}: {line}", file=sys.stderr)
  return code


def _take_any_name() -> None:
  """Lets names be printed that are no text: their bytes, or escaped in messages."""
  for stream, is_message in ((sys.stdout, False), (sys.stderr, True)):
    if isinstance(stream, io.TextIOWrapper):
      escaped = is_message or codecs.lookup(stream.encoding).name != "utf-8"
      stream.reconfigure(errors="backslashreplace" if escaped else "surrogateescape")


def _join(*parts: str) -> str:
  return "; ".join(filter(None, parts))
