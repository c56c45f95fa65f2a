"""Ways to run updates, one process for each, measured in turn.

A worker builds its program once and then times one call per request, so that all
ways meet the same state of a shared and noisy machine.
"""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.ways import Program, Way


class Worker:
  """A process that holds one program."""

  def __init__(self, way: Way):
    """Starts the process; `build` builds the program.

    Args:
      way: what the process runs.
    """
    self.way = way
    context = multiprocessing.get_context("spawn")
    self._connection, child = context.Pipe()
    self._process = context.Process(target=_serve, args=(child, way), daemon=True)
    self._process.start()

  def ask(self, question: str) -> Any:
    """Sends a question and waits for the answer; see `send` and `receive`."""
    self.send(question)
    return self.receive()

  def send(self, question: str) -> None:
    """Sends `build`, `time` or `memory`; the first question must be `build`."""
    self._connection.send(question)

  def receive(self) -> Any:
    """Waits for the answer.

    Returns:
      To `build` the program's facts and `first_call_s`, to `time` the seconds of one
      call, to `memory` the peak in bytes.

    Raises:
      RuntimeError: the worker failed; the message is its error.
      EOFError: the worker's process ended.
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
  program: Program | None = None
  answer: Any
  while True:
    question = connection.recv()
    try:
      if question == "build":
        began = time.perf_counter()
        program = _builder(way)(way)
        program.call()
        answer = program.facts | {"first_call_s": round(time.perf_counter() - began, 1)}
      elif program is None:
        raise RuntimeError(f"asked for {question} before the program was built")
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


def _builder(way: Way) -> Callable[[Way], Program]:
  """The builder of a way's framework, imported only by the worker."""
  if way.framework == "jax":
    from benchmarks import jax_updates

    return jax_updates.build
  from benchmarks import torch_updates

  return torch_updates.build


def _process_peak() -> int:
  """Peak bytes of this process alone; `ru_maxrss` starts at the parent's peak."""
  lines = Path("/proc/self/status").read_text().splitlines()
  (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
  return int(peak) * 1024
