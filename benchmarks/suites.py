"""The benchmark's suites, and how long each measures on a CPU and on a GPU."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks import flow_speed, machine, scaling, stages, throughput, updates
from benchmarks.report import markdown_table
from benchmarks.ways import DRY_LEVELS, DRY_SIZE, LOSSES, Size, Way, as_dry

# An update takes seconds on a CPU, so calls are short and repeats few.
_UPDATES = {"cpu": 4, "gpu": 100}
_WARM_UPS = {"cpu": 1, "gpu": 3}
_REPEATS = {"cpu": 3, "gpu": 5}
_QUICK_UPDATES = {"cpu": 2, "gpu": 100}
_SIZE: Size = {"height": 192, "width": 384}
_DRY_FRAMES = 8
_DRY_FLOW: Size = {"height": 64, "width": 64}  # PWC-Net halves it six times
# What a row has that is measured, or follows from it; a dry run strikes it out.
_FIGURES = {
  *("updates_per_second", "frames_per_second", "pairs_per_second", "seconds", "spread"),
  *("seconds_per_update", "times_authors", "share_of_peak", "first_call_s"),
  *("peak_memory_mib", "flows_80_frames_s", "gflop_per_update"),
}
_STRUCK = "dry"

Row = dict[str, Any]
Suite = tuple[str, Mapping[str, str], Iterable[Row]]


def run_suites(
  *,
  device: str,
  suites: Sequence[str],
  quick: bool,
  repeats: int | None,
  losses: Sequence[str] = LOSSES,
  variants: Sequence[str] | None = None,
  dry: bool = False,
) -> list[Row]:
  """Measures suites and prints their tables.

  Args:
    device: `cpu` or `gpu`.
    suites: names from `command.SUITES`.
    quick: makes the calls shorter.
    repeats: timed calls of each row; None takes the device's usual number.
    losses, variants: what the suite `updates` is limited to.
    dry: runs each row's code once, at a tiny size and in this process, on whatever
      JAX has; the rows have `dry_run` and no figures.

  Returns:
    All rows, each with its suite and the machine it was measured on.
  """
  about = machine.describe()
  peaks = machine.measure_peaks(dry=dry)
  print(
    f"{about['device']}, {about['cores']} cores, {about['date']}, {about['versions']}"
  )
  if dry:
    print("DRY RUN: the code of each row, once, at a tiny size. Nothing is measured.\n")
  else:
    print(f"measured peaks: {peaks}\n")
  parts = _suites(
    device,
    suites,
    calls=(_QUICK_UPDATES if quick else _UPDATES)[device],
    repeats=1 if dry else repeats or _REPEATS[device],
    peaks=peaks,
    losses=losses,
    variants=variants,
    dry=dry,
  )
  rows: list[Row] = []
  for suite, columns, measured in parts:
    kept = [_strike(row) if dry else row for row in measured]
    for row in kept:
      if why := row.get("error") or row.get("skipped"):
        print(f"{row.get('framework', suite)} {row.get('variant', '')}: {why}")
    done = [row for row in kept if not {"error", "skipped"} & row.keys()]
    print(markdown_table(done, columns))
    facts = {"machine": about} | ({} if dry else {"peaks": peaks})
    rows.extend({"suite": suite, **row, **facts} for row in kept)
  return rows


def _suites(
  device: str,
  names: Sequence[str],
  *,
  calls: int,
  repeats: int,
  peaks: dict[str, float],
  losses: Sequence[str],
  variants: Sequence[str] | None,
  dry: bool,
) -> Iterator[Suite]:
  """Each suite with its columns and its rows, which are measured as they are read."""

  def change(way: Way) -> Way:
    return as_dry(way) if dry else way

  warm_ups = 0 if dry else _WARM_UPS[device]
  if "updates" in names:
    print(f"updates: calls of {calls}, {warm_ups} warm-up, {repeats} timed\n")
    for terms in losses:
      ways = updates.ways(
        device=device, updates=calls, losses=[terms], variants=variants, **_SIZE
      )
      measured = updates.measure(
        [*map(change, ways)], warm_ups=warm_ups, repeats=repeats, peaks=peaks
      )
      yield "updates", updates.COLUMNS, measured
  if "flow" in names:
    size = _DRY_FLOW if dry else _SIZE
    yield "flow", flow_speed.COLUMNS, flow_speed.measure(**size, repeats=repeats)
  if "stages" in names:
    yield "stages", stages.COLUMNS, _stages(on_cpu=dry or device == "cpu", dry=dry)
  per_call = _UPDATES[device]
  if "scaling" in names:
    measured = scaling.measure(
      device=device, updates=per_call, repeats=repeats, peaks=peaks, change=change
    )
    yield "scaling", scaling.COLUMNS, measured
  if "throughput" in names:
    measured = throughput.measure(
      device=device, updates=per_call, repeats=repeats, change=change
    )
    yield "throughput", throughput.COLUMNS, measured


def _stages(*, on_cpu: bool, dry: bool) -> Iterator[Row]:
  if not dry:
    return stages.measure(**_SIZE, on_cpu=on_cpu)
  return stages.measure(
    **DRY_SIZE, levels=DRY_LEVELS, frame_count=_DRY_FRAMES, on_cpu=on_cpu
  )


def _strike(row: Row) -> Row:
  """A row without its figures, and marked."""
  struck = {key: _STRUCK if key in _FIGURES else value for key, value in row.items()}
  return struck | {"dry_run": True}
