"""Updates per second: ours and PyTorch's, in turn."""

import dataclasses
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import jax_updates
from benchmarks.ways import Way
from benchmarks.workers import Worker

TORCH_VARIANTS = ("authors", "repaired", "tuned", "compiled")
COLUMNS = {
  "framework": "framework",
  "variant": "variant",
  "losses": "losses",
  "updates_per_second": "updates/s",
  "spread": "spread",
  "seconds_per_update": "s an update",
  "times_authors": "times the authors'",
  "share_of_peak": "share of peak",
  "first_call_s": "first call, s",
  "peak_memory_mib": "peak MiB",
  "precision": "precision",
}


def ways(*, device: str, updates: int, losses: Sequence[str], **shape) -> list[Way]:
  """All rows of the comparison for some losses."""
  rows = [("jax", variant) for variant in jax_updates.VARIANTS[device]]
  rows += [("pytorch", variant) for variant in TORCH_VARIANTS]
  return [
    Way(framework, variant, loss, device, updates=updates, **shape)
    for loss in losses
    for framework, variant in rows
  ]


def measure(
  some_ways: Sequence[Way], *, warm_ups: int, repeats: int, peaks: dict[str, float]
) -> Iterator[dict[str, Any]]:
  """Measures ways in turn: each repeat times every way once.

  Args:
    some_ways: compared with one another; each in a process that lives throughout.
    warm_ups: calls of each that are not counted, beyond the first.
    repeats: calls that are.
    peaks: from `measure_peaks`.

  Yields:
    A row for each way; one that fails has `error` instead of figures.
  """
  workers = [Worker(way) for way in some_ways]
  try:
    facts = []
    for worker in workers:
      facts.append(_try(worker, "build"))
      _tell(f"built {_name(worker.way)}: {facts[-1].get('first_call_s', 'failed')} s")
    alive = [
      worker for worker, fact in zip(workers, facts, strict=True) if "error" not in fact
    ]
    times: dict[Way, list[float]] = {worker.way: [] for worker in alive}
    for repeat in range(warm_ups + repeats):
      for worker in alive:
        seconds = worker.ask("time")
        _tell(f"round {repeat + 1}: {_name(worker.way)} {seconds:.1f} s")
        if repeat >= warm_ups:
          times[worker.way].append(seconds)
    gflop = next(
      (fact["gflop_per_update"] for fact in facts if "gflop_per_update" in fact), None
    )
    rows = []
    for worker, fact in zip(workers, facts, strict=True):
      row = dataclasses.asdict(worker.way) | {"repeats": repeats} | fact
      if worker in alive:
        row |= _figures(worker, times[worker.way], gflop, peaks)
      rows.append(row)
  finally:
    for worker in workers:
      worker.close()
  yield from _compare(rows)


def _name(way):
  return f"{way.framework} {way.variant} {way.losses}"


def _tell(line):
  """Progress, apart from the tables; quiet where there is no terminal."""
  if sys.stderr.isatty():
    print(line, file=sys.stderr)


def _try(worker, question):
  try:
    return worker.ask(question)
  except (RuntimeError, EOFError) as error:
    return {"error": str(error)}


def _figures(worker, seconds, gflop, peaks):
  rates = [worker.way.updates / duration for duration in seconds]
  median = statistics.median(rates)
  figures = {
    "updates_per_second": round(median, 4),
    "spread": [round(min(rates), 4), round(max(rates), 4)],
    "seconds_per_update": round(1 / median, 3),
    "peak_memory_mib": round(worker.ask("memory") / 2**20),
  }
  if gflop:
    # The work that the method needs, whatever a way does beside it.
    figures["gflop_per_update"] = gflop
    figures["share_of_peak"] = round(median * gflop / peaks["matmul_gflops"], 3)
  return figures


def _compare(rows):
  for row in rows:
    authors = next(
      (
        other["updates_per_second"]
        for other in rows
        if other["variant"] == "authors"
        and other["losses"] == row["losses"]
        and "updates_per_second" in other
      ),
      None,
    )
    if authors and "updates_per_second" in row:
      row["times_authors"] = round(row["updates_per_second"] / authors, 2)
    yield row
