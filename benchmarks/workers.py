"""Ways to run updates, each in a process of its own, measured in turn.

A worker builds its program once and then times a call whenever it is told to, so
that all ways meet the same state of a shared and noisy machine.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.ways import Way


class Worker:
  """A process that holds one program."""

  def __init__(self, way: Way):
    """Starts the process; the program is built at the first `build`.

    Args:
      way: what it runs.
    """
    self.way = way
    context = multiprocessing.get_context("spawn")
    self._connection, child = context.Pipe()
    self._process = context.Process(target=_serve, args=(child, way), daemon=True)
    self._process.start()

  def ask(self, question: str):
    """Sends a question and waits for the answer; see `send` and `receive`."""
    self.send(question)
    return self.receive()

  def send(self, question: str) -> None:
    """Sends `build`, `time` or `memory`."""
    self._connection.send(question)

  def receive(self):
    """Waits for the answer.

    Raises:
      RuntimeError: the worker failed; the message is its error.
    """
    kind, answer = self._connection.recv()
    if kind == "error":
      raise RuntimeError(answer)
    return answer

  def close(self) -> None:
    """Ends the process."""
    self._process.terminate()
    self._process.join()


def _serve(connection: Connection, way: Way) -> None:
  program = None
  while True:
    question = connection.recv()
    try:
      if question == "build":
        began = time.perf_counter()
        program = _builder(way)(way)
        program.call()
        answer = program.facts | {"first_call_s": round(time.perf_counter() - began, 1)}
      elif question == "time":
        began = time.perf_counter()
        program.call()
        answer = time.perf_counter() - began
      else:
        peak = program.peak_memory or _process_peak
        answer = peak()
      connection.send(("answer", answer))
    except Exception as error:
      connection.send(("error", f"{type(error).__name__}: {str(error)[:500]}"))


def _builder(way):
  """The builder of a way's framework, imported in the worker alone."""
  if way.framework == "jax":
    from benchmarks.jax_updates import build
  else:
    from benchmarks.torch_updates import build
  return build


def _process_peak():
  """Bytes; of this program alone, where `ru_maxrss` begins at its parent's peak."""
  lines = Path("/proc/self/status").read_text().splitlines()
  (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
  return int(peak) * 1024
