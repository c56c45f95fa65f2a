"""Ways to run updates, one process for each, measured in turn.

A worker builds its program once and then times one call per request, so that all
ways meet the same state of a shared and noisy machine.
"""

import functools
import importlib.util
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from benchmarks.ways import Program, Way


class Answering(Protocol):
  """A worker, in whatever process."""

  way: Way

  def ask(self, question: str) -> Any:
    """See `Worker`."""

  def send(self, question: str) -> None:
    """See `Worker`."""

  def receive(self) -> Any:
    """See `Worker`."""

  def close(self) -> None:
    """See `Worker`."""


def start(way: Way) -> Answering:
  """Starts the worker of a way; a dry one is in this process."""
  return DryWorker(way) if way.dry else Worker(way)


def missing(way: Way) -> str:
  """Why a way cannot be run here at all; empty if it can."""
  if way.framework == "pytorch" and importlib.util.find_spec("torch") is None:
    return "PyTorch is not installed"
  return ""


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
    return _take(*self._connection.recv())

  def close(self) -> None:
    """Ends the process."""
    self._process.terminate()
    self._process.join()


class DryWorker:
  """Answers as a worker does, in this process, where programs are compiled sooner."""

  def __init__(self, way: Way):
    """Starts nothing.

    Args:
      way: what is run; equal ones share a program.
    """
    self.way = way
    self._held = _Held(way, _build_once)
    self._answers: list[tuple[str, Any]] = []

  def ask(self, question: str) -> Any:
    """See `Worker`."""
    self.send(question)
    return self.receive()

  def send(self, question: str) -> None:
    """See `Worker`; answers at once."""
    self._answers.append(self._held.answer(question))

  def receive(self) -> Any:
    """See `Worker`."""
    return _take(*self._answers.pop(0))

  def close(self) -> None:
    """There is no process to end."""


def _take(kind: str, answer: Any) -> Any:
  if kind == "error":
    raise RuntimeError(answer)
  return answer


def _serve(connection: Connection, way: Way) -> None:
  held = _Held(way, _build)
  while True:
    connection.send(held.answer(connection.recv()))


class _Held:
  """The program of a way, once it is built."""

  def __init__(self, way: Way, build: Callable[[Way], Program]):
    self._way, self._build = way, build
    self._program: Program | None = None

  def answer(self, question: str) -> tuple[str, Any]:
    """`answer` or `error`, with what it is."""
    try:
      return "answer", self._answer(question)
    except Exception as error:
      return "error", f"{type(error).__name__}: {str(error)[:500]}"

  def _answer(self, question: str) -> Any:
    began = time.perf_counter()
    if question == "build":
      self._program = program = self._build(self._way)
      program.call()
      return program.facts | {"first_call_s": round(time.perf_counter() - began, 1)}
    if self._program is None:
      raise RuntimeError(f"asked for {question} before the program was built")
    if question == "time":
      self._program.call()
      return time.perf_counter() - began
    peak = self._program.peak_memory or _process_peak
    return peak()


def _build(way: Way) -> Program:
  """Builds a way's program; only its worker imports its framework."""
  if way.framework == "jax":
    from benchmarks import jax_updates

    return jax_updates.build(way)
  from benchmarks import torch_updates

  return torch_updates.build(way)


_build_once = functools.cache(_build)


def _process_peak() -> int:
  """Peak bytes of this process alone; `ru_maxrss` starts at the parent's peak."""
  lines = Path("/proc/self/status").read_text().splitlines()
  (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
  return int(peak) * 1024
