"""Which way of training more than five frames at a time uses a device best.

Larger batches, several networks in one program, several processes.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

from benchmarks.ways import Changes, Shape, Way
from benchmarks.workers import Answering, start

COLUMNS = {
  "way": "way",
  "at_a_time": "at a time",
  "batch_size": "N",
  "updates_per_second": "updates/s, all together",
  "frames_per_second": "frames/s",
  "spread": "spread",
}
_USUAL = Way("jax", "scan", "all", "gpu")
# Name, networks at a time, processes, what differs from the usual way.
_WAYS: tuple[tuple[str, int, int, Changes], ...] = (
  ("one", 1, 1, {}),
  ("larger batch", 1, 1, {"batch_size": 10}),
  ("larger batch", 1, 1, {"batch_size": 20}),
  ("states, looped", 2, 1, {"variant": "states_loop", "states": 2}),
  ("states, vmap", 2, 1, {"variant": "states_vmap", "states": 2}),
  ("states, vmap", 4, 1, {"variant": "states_vmap", "states": 4}),
  ("processes", 2, 2, {}),
  ("processes", 4, 4, {}),
)


def measure(
  *,
  device: str,
  updates: int,
  repeats: int,
  change: Callable[[Way], Way] = lambda way: way,
  **shape: Unpack[Shape],
) -> Iterator[dict[str, Any]]:
  """Times each way by itself.

  Args:
    device: `cpu` or `gpu`.
    updates: the number for each network in a timed call.
    repeats: timed calls.
    change: of each way, at last.
    **shape: height, width and levels, if not the usual ones.

  Yields:
    A row for each way; `error` replaces the figures of a way that fails.
  """
  usual = dataclasses.replace(_USUAL, device=device, updates=updates, **shape)
  for name, at_a_time, processes, other in _WAYS:
    way = change(dataclasses.replace(usual, **other))
    row = {"way": name, "at_a_time": at_a_time, **dataclasses.asdict(way)}
    try:
      yield row | _rates(way, at_a_time, processes, repeats)
    except (RuntimeError, EOFError) as error:
      yield row | {"error": str(error)}


def _rates(way: Way, at_a_time: int, processes: int, repeats: int) -> dict[str, Any]:
  workers = [start(way) for _ in range(processes)]
  try:
    for worker in workers:
      worker.ask("build")
    seconds = [_time_together(workers) for _ in range(repeats + 1)][1:]
  finally:
    for worker in workers:
      worker.close()
  rates = [at_a_time * way.updates / duration for duration in seconds]
  median = statistics.median(rates)
  return {
    "updates_per_second": round(median, 4),
    "frames_per_second": round(median * way.batch_size, 3),
    "spread": [round(min(rates), 4), round(max(rates), 4)],
    "repeats": repeats,
  }


def _time_together(workers: Sequence[Answering]) -> float:
  began = time.perf_counter()
  for worker in workers:
    worker.send("time")
  for worker in workers:
    worker.receive()
  return time.perf_counter() - began
