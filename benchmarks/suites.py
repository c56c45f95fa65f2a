"""The benchmark's suites, and how long each measures on a CPU and on a GPU."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import flow_speed, machine, scaling, stages, throughput, updates
from benchmarks.report import markdown_table
from benchmarks.ways import Size

# An update takes seconds on a CPU, so calls are short and repeats few.
_UPDATES = {"cpu": 4, "gpu": 100}
_WARM_UPS = {"cpu": 1, "gpu": 3}
_REPEATS = {"cpu": 3, "gpu": 5}
_QUICK_UPDATES = {"cpu": 2, "gpu": 100}
_SIZE: Size = {"height": 192, "width": 384}


def run_suites(
  *, device: str, suites: Sequence[str], quick: bool, repeats: int | None
) -> list[dict[str, Any]]:
  """Measures suites and prints their tables.

  Args:
    device: `cpu` or `gpu`.
    suites: names from `command.SUITES`.
    quick: makes the calls shorter.
    repeats: timed calls of each row; None takes the device's usual number.

  Returns:
    All rows, each with its suite and the machine it was measured on.
  """
  about = machine.describe()
  peaks = machine.measure_peaks()
  repeats = repeats or _REPEATS[device]
  print(
    f"{about['device']}, {about['cores']} cores, {about['date']}, {about['versions']}"
  )
  print(f"measured peaks: {peaks}\n")
  rows: list[dict[str, Any]] = []

  def keep(
    suite: str, columns: Mapping[str, str], measured: Iterable[dict[str, Any]]
  ) -> None:
    measured = list(measured)
    for row in measured:
      if "error" in row:
        print(f"{row.get('framework', suite)} {row.get('variant', '')}: {row['error']}")
    print(markdown_table([row for row in measured if "error" not in row], columns))
    rows.extend(
      {"suite": suite, **row, "machine": about, "peaks": peaks} for row in measured
    )

  per_call, warm_ups = _UPDATES[device], _WARM_UPS[device]
  if "updates" in suites:
    calls = _QUICK_UPDATES[device] if quick else per_call
    print(f"updates: calls of {calls}, {warm_ups} warm-up, {repeats} timed\n")
    for losses in ("all", "no_vgg"):
      ways = updates.ways(device=device, updates=calls, losses=[losses], **_SIZE)
      measured = updates.measure(ways, warm_ups=warm_ups, repeats=repeats, peaks=peaks)
      keep("updates", updates.COLUMNS, measured)
  if "flow" in suites:
    keep("flow", flow_speed.COLUMNS, flow_speed.measure(**_SIZE, repeats=repeats))
  if "stages" in suites:
    measured = stages.measure(**_SIZE, on_cpu=device == "cpu")
    keep("stages", stages.COLUMNS, measured)
  if "scaling" in suites:
    measured = scaling.measure(
      device=device, updates=per_call, repeats=repeats, peaks=peaks
    )
    keep("scaling", scaling.COLUMNS, measured)
  if "throughput" in suites:
    measured = throughput.measure(device=device, updates=per_call, repeats=repeats)
    keep("throughput", throughput.COLUMNS, measured)
  return rows
