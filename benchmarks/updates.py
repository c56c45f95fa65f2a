"""Updates per second of this program and of PyTorch, measured in turn."""

import dataclasses
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from benchmarks.ways import JAX_VARIANTS, TORCH_VARIANTS, Shape, Way
from benchmarks.workers import Answering, missing, start

COLUMNS = {
  "framework": "framework",
  "variant": "variant",
  "losses": "losses",
  "updates_per_second": "updates/s",
  "spread": "spread",
  "seconds_per_update": "s/update",
  "times_authors": "times the authors'",
  "share_of_peak": "share of peak",
  "first_call_s": "first call, s",
  "peak_memory_mib": "peak MiB",
  "precision": "precision",
}


def ways(
  *,
  device: str,
  updates: int,
  losses: Sequence[str],
  variants: Sequence[str] | None = None,
  **shape: Unpack[Shape],
) -> list[Way]:
  """The ways of both frameworks, or those of these variants, for each of the losses."""
  rows = [("jax", variant) for variant in JAX_VARIANTS[device]]
  rows += [("pytorch", variant) for variant in TORCH_VARIANTS]
  return [
    Way(framework, variant, terms, device, updates=updates, **shape)
    for terms in losses
    for framework, variant in rows
    if variants is None or variant in variants
  ]


def measure(
  some_ways: Sequence[Way], *, warm_ups: int, repeats: int, peaks: dict[str, float]
) -> Iterator[dict[str, Any]]:
  """Measures ways in turn; each round times one call of every way.

  Args:
    some_ways: compared with one another; each has a process until all are measured.
    warm_ups: uncounted calls of each way, after the first one.
    repeats: counted calls of each way.
    peaks: from `measure_peaks`.

  Yields:
    A row for each way; `error` replaces the figures of a way that fails, `skipped`
    those of one that cannot be run here.
  """
  skipped = [way for way in some_ways if missing(way)]
  workers = [start(way) for way in some_ways if way not in skipped]
  try:
    facts = []
    for worker in workers:
      facts.append(_build(worker))
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
  for way in skipped:
    yield dataclasses.asdict(way) | {"skipped": missing(way)}


def _name(way: Way) -> str:
  return f"{way.framework} {way.variant} {way.losses}"


def _tell(line: str) -> None:
  """Prints progress to a terminal on stderr, apart from the tables on stdout."""
  if sys.stderr.isatty():
    print(line, file=sys.stderr)


def _build(worker: Answering) -> dict[str, Any]:
  try:
    return worker.ask("build")
  except (RuntimeError, EOFError) as error:
    return {"error": str(error)}


def _figures(
  worker: Answering,
  seconds: Sequence[float],
  gflop: float | None,
  peaks: Mapping[str, float],
) -> dict[str, Any]:
  rates = [worker.way.updates / duration for duration in seconds]
  median = statistics.median(rates)
  figures = {
    "updates_per_second": round(median, 4),
    "spread": [round(min(rates), 4), round(max(rates), 4)],
    "seconds_per_update": round(1 / median, 3),
    "peak_memory_mib": round(worker.ask("memory") / 2**20),
  }
  if gflop:
    # The FLOP that the method needs; a way may do more.
    figures["gflop_per_update"] = gflop
    figures["share_of_peak"] = round(median * gflop / peaks["matmul_gflops"], 3)
  return figures


def _compare(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
  """Adds each row's speed as a multiple of the authors' way."""
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
