"""Who works on an output folder, when several workers share a list of clips.

A claim is a numbered file in a hidden folder beside the output. It is created
exclusively, so only one worker succeeds, even on a network file system. The highest
number counts, and numbers only grow: a lost worker's claim is followed by one with the
next number. Nothing is renamed, so no worker can take over a claim that it has not
checked.

A claim dies with its holder. On the same machine the kernel releases the lock on the
file when the process ends. On another machine the holder counts as lost when it has
not touched the file for `timeout` seconds by the clock of the file server, which
is read by touching a fresh file, so the machines' clocks need not agree.
"""

import _thread
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from dipvid_jax.storage.atomic import replacing

TIMEOUT = 120.0
_BEATS = 4  # signs of life per timeout, so that some may fail
# Only simulated, in the main thread. Not SIGINT, which shells disable for background
# processes.
_SIGNAL = signal.SIGURG


class ClaimLost(BaseException):
  """Another worker has taken over; like KeyboardInterrupt, not an error to handle."""


class _Record(NamedTuple):
  """The contents of a claim's file.

  Attributes:
    state: "held"; "failed" or "released" once its holder has let go of it.
    host, process: of the holder, for display.
    machine: see `machine_id`.
    locked: whether the holder has locked the file.
    reason: why it failed.
  """

  state: Literal["held", "failed", "released"] = "held"
  host: str = ""
  process: int = 0
  machine: str = ""
  locked: bool = False
  reason: str = ""


def machine_id() -> str:
  """Identifies this machine since its last boot; containers share the id."""
  try:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
  except OSError:
    return ""


class Claims:
  """The claims on one output folder."""

  def __init__(self, output: Path, *, timeout: float = TIMEOUT):
    """Reads the claims that exist, and changes nothing.

    Args:
      output: the folder; it need not exist.
      timeout: seconds without a sign of life after which a worker on another machine
        is lost. The same for all workers.
    """
    self._folder = output.parent / f".{output.name}.claims"
    self.timeout = timeout
    self._earlier = self.latest()

  def take(self) -> "Claim | None":
    """Claims the folder, unless another worker works on it or has just failed.

    Returns:
      The claim, or None.

    Raises:
      OSError: no claim can be written there.
    """
    number = self.latest() + 1
    if number and (self.failure() is not None or self._is_held(number - 1)):
      return None
    self._folder.mkdir(parents=True, exist_ok=True)
    path = self.path(number)
    try:
      file = path.open("x+")
    except (FileExistsError, FileNotFoundError):  # another was faster, or has finished
      return None
    if self.latest() != number:  # the listing was stale
      file.close()
      path.unlink(missing_ok=True)
      return None
    for older in self._numbers():
      if older < number:
        self.path(older).unlink(missing_ok=True)
    return Claim(self, number, file)

  def failure(self) -> str | None:
    """Why the last worker failed; None if none did since this object was made.

    Failures of earlier commands are ignored: their cause may have been fixed.
    """
    number = self.latest()
    record = self._read(number)
    if number > self._earlier and record and record.state == "failed":
      return record.reason
    return None

  def holder(self) -> str | None:
    """Who works on the folder, for display; None if nobody does."""
    number = self.latest()
    record = self._read(number)
    if record is None or not self._is_held(number):
      return None
    return f"{record.host or 'another worker'}, process {record.process or '?'}"

  def _is_held(self, number: int) -> bool:
    try:
      # Reopened: only then does a network file system ask its server.
      with self.path(number).open() as file:
        touched = os.fstat(file.fileno()).st_mtime
        record = _parse(file.read())
        if record.state != "held":
          return False
        if record.locked and record.machine == machine_id():
          return _is_locked(file)
      return self._server_time() - touched <= self.timeout
    except FileNotFoundError:  # its holder has finished
      return False

  def _server_time(self) -> float:
    with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".now-") as fresh:
      os.utime(fresh.name)
      return Path(fresh.name).stat().st_mtime

  def _read(self, number: int) -> _Record | None:
    try:
      return _parse(self.path(number).read_text())
    except OSError:
      return None

  def path(self, number: int) -> Path:
    """The file of the claim with this number."""
    return self._folder / f"{number:06d}"

  def _numbers(self) -> list[int]:
    try:
      names = [path.name for path in self._folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
      return []
    return [int(name) for name in names if name.isdigit()]

  def latest(self) -> int:
    """The highest number, which counts; -1 without a claim."""
    return max(self._numbers(), default=-1)


class Claim:
  """A held claim: a `with` block in which a thread gives signs of life.

  After the block the claim is free for others, unless `fail` or `finish` was called.

  A worker that was paused for longer than the timeout may have lost its claim. The
  thread notices as soon as the worker runs again, and raises ClaimLost in the main
  thread, which must therefore be the one with the block.
  """

  def __init__(self, claims: Claims, number: int, file: TextIO):
    """Called by `Claims.take`.

    Args:
      claims: of the folder.
      number: of this claim.
      file: of this claim, open, new and empty.
    """
    self._claims, self._number, self._file = claims, number, file
    self._path = claims.path(number)
    self._lost = self._finished = False
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._show_life, daemon=True)
    record = _Record(
      host=socket.gethostname(),
      process=os.getpid(),
      machine=machine_id(),
      locked=_lock(file),
    )
    json.dump(record._asdict(), file)
    file.flush()
    os.utime(self._path)
    self._at_end = record._replace(state="released")

  def fail(self, reason: str) -> None:
    """Tells the others, at the end of the block, not to try this clip."""
    self._at_end = self._at_end._replace(state="failed", reason=reason)

  def finish(self) -> None:
    """Removes the claims at the end of the block: the results show what is done."""
    self._finished = True

  def __enter__(self) -> "Claim":
    """Starts the signs of life."""
    self._handler = signal.signal(_SIGNAL, _raise_lost)
    self._thread.start()
    return self

  def __exit__(self, *_: object) -> None:
    """Lets go of the claim."""
    try:
      self._stop.set()
      self._thread.join()
    except ClaimLost:  # too late to matter: the block has ended
      pass
    finally:
      signal.signal(_SIGNAL, self._handler)
      self._let_go()

  def _let_go(self) -> None:
    if self._finished:
      shutil.rmtree(self._path.parent, ignore_errors=True)
    elif not self._lost:
      # If this fails, the lock or the timeout frees the claim.
      with contextlib.suppress(OSError), replacing(self._path) as partial:
        partial.write_text(json.dumps(self._at_end._asdict()))
    self._file.close()

  def _show_life(self) -> None:
    while not self._stop.wait(self._claims.timeout / _BEATS):
      try:
        os.utime(self._path)
        self._lost = self._claims.latest() != self._number
      except FileNotFoundError:
        self._lost = True
      except OSError:
        continue  # the server is away; it may be back next time
      if self._lost:
        _thread.interrupt_main(_SIGNAL)
        return


def _raise_lost(*_: object) -> None:
  raise ClaimLost


def _parse(text: str) -> _Record:
  try:
    return _Record(**json.loads(text))
  except (ValueError, TypeError):
    return _Record()  # just created


def _lock(file: TextIO) -> bool:
  try:
    fcntl.flock(file, fcntl.LOCK_EX)
  except OSError:  # some network file systems have no locks
    return False
  return True


def _is_locked(file: TextIO) -> bool:
  try:
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except OSError:
    return True
  return False
