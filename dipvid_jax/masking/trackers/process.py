"""A tracker's process: started, listened to, and ended whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.masking.trackers.exchange_folder import VERSION
from dipvid_jax.media.sources import os_reason

_GRACE = 5.0  # seconds between asking a process to end and ending it


def run_tracker(
  name: str,
  command: Sequence[str],
  folder: Path,
  *,
  on_progress: Callable[[int], None] | None = None,
) -> None:
  """Runs a tracker on an exchange folder and waits for it.

  It is the head of a process group of its own, which is ended when this function is
  left, by an interruption too.

  Args:
    name: of the tracker, for errors.
    command: what to run; the folder is added as its last argument.
    folder: the exchange folder.
    on_progress: called with the number of frames just finished.

  Raises:
    InputError: it cannot be started, speaks another version, reports an error, or
      ends with another exit code than 0.
  """
  errors = folder / "stderr.txt"
  with errors.open("wb") as stderr:
    try:
      process = subprocess.Popen(
        [*command, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"},
        start_new_session=True,
      )
    except OSError as error:
      raise InputError(f"{name}: {command[0]}: {os_reason(error)}") from error
    with process:
      try:
        is_known = _listen(name, process, on_progress)
        code = process.wait()
      finally:
        _end(process)
  if code:
    raise InputError(f"{name}: ended with {_described(code)}{_last_line(errors)}")
  if not is_known:
    raise InputError(
      f'{name}: ended without its first line, {{"version": {VERSION}}}; is it a'
      " tracker? docs/trackers.md states what one does"
    )


def _listen(
  name: str,
  process: subprocess.Popen[bytes],
  on_progress: Callable[[int], None] | None,
) -> bool:
  """Reads the tracker's messages to their end; returns whether it said a version."""
  assert process.stdout is not None
  is_known = False
  for line in process.stdout:
    message = _message(line)
    if "error" in message:
      raise InputError(f"{name}: {' '.join(str(message['error']).split())}")
    if "version" in message:
      is_known = True
      if message["version"] != VERSION:
        raise InputError(
          f"{name}: speaks version {message['version']} of the exchange, not"
          f" {VERSION}; docs/trackers.md states that one"
        )
    done = message.get("done")
    if on_progress and isinstance(done, int):
      on_progress(done)
  return is_known


def _message(line: bytes) -> dict:
  """A line as a message; empty for what libraries print there."""
  try:
    message = json.loads(line)
  except ValueError:
    return {}
  return message if isinstance(message, dict) else {}


def _end(process: subprocess.Popen[bytes]) -> None:
  """Ends the process and what it started."""
  for number in (signal.SIGTERM, signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError, PermissionError):
      os.killpg(process.pid, number)
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(_GRACE)


def _described(code: int) -> str:
  if code > 0:
    return f"exit code {code}"
  try:
    return f"signal {signal.Signals(-code).name}"
  except ValueError:
    return f"signal {-code}"


def _last_line(errors: Path) -> str:
  """What it wrote last to standard error, after a colon; empty if nothing."""
  lines = errors.read_text(errors="replace").split("\n")
  said = [line.strip() for line in lines if line.strip()]
  return f": {said[-1]}" if said else ""
