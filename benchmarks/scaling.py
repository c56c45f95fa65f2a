"""How an update's time and memory grow with size, batch and length."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.updates import measure as measure_updates
from benchmarks.ways import Changes, Way

COLUMNS = {
  "frames": "frames",
  "height": "height",
  "width": "width",
  "batch_size": "N",
  "seconds_per_update": "s/update",
  "frames_per_second": "frames/s",
  "peak_memory_mib": "peak MiB",
}
_USUAL = Way("jax", "scan", "all", "cpu")


def ways(device: str, updates: int) -> list[Way]:
  """The usual way, and ways with another size, batch or length."""
  usual = dataclasses.replace(_USUAL, device=device, updates=updates)
  changes: list[Changes] = [
    {"height": 96, "width": 192, "levels": 5},
    {},
    {"height": 384, "width": 768},
    {"batch_size": 10},
    {"frames": 80},
    {"frames": 320},
  ]
  return [dataclasses.replace(usual, **change) for change in changes]


def measure(
  *,
  device: str,
  updates: int,
  repeats: int,
  peaks: dict[str, float],
  change: Callable[[Way], Way] = lambda way: way,
) -> Iterator[dict[str, Any]]:
  """Measures each way by itself, so that its memory is its own.

  Args:
    device: `cpu` or `gpu`.
    updates: the number in a timed call.
    repeats: timed calls.
    peaks: from `measure_peaks`.
    change: of each way, at last.

  Yields:
    A row for each way.
  """
  for way in map(change, ways(device, updates)):
    for row in measure_updates([way], warm_ups=1, repeats=repeats, peaks=peaks):
      if "updates_per_second" in row:
        rate = row["updates_per_second"] * way.batch_size
        row["frames_per_second"] = round(rate, 2)
      yield row
