"""The benchmark's suites: what is measured with how much effort on which device."""

from collections.abc import Sequence
from typing import Any

from benchmarks import flow_speed, machine, scaling, stages, throughput, updates
from benchmarks.report import markdown_table

# A CPU takes seconds for an update: short calls, few repeats.
_UPDATES = {"cpu": 4, "gpu": 100}
_WARM_UPS = {"cpu": 1, "gpu": 3}
_REPEATS = {"cpu": 3, "gpu": 5}
_QUICK_UPDATES = {"cpu": 2, "gpu": 100}
_SIZE = {"height": 192, "width": 384}


def run_suites(
  *, device: str, suites: Sequence[str], quick: bool, repeats: int | None
) -> list[dict[str, Any]]:
  """Measures and prints each suite.

  Args:
    device: `cpu` or `gpu`.
    suites: which; see `command.SUITES`.
    quick: shorter calls.
    repeats: timed calls of each row; the device's usual number where None.

  Returns:
    All rows, each with the suite and the machine that it was measured on.
  """
  about = machine.describe()
  peaks = machine.measure_peaks()
  repeats = repeats or _REPEATS[device]
  print(
    f"{about['device']}, {about['cores']} cores, {about['date']}, {about['versions']}"
  )
  print(f"measured peaks: {peaks}\n")
  rows = []

  def keep(suite, columns, measured):
    measured = list(measured)
    for row in measured:
      if "error" in row:
        print(f"{row.get('framework', suite)} {row.get('variant', '')}: {row['error']}")
    print(markdown_table([row for row in measured if "error" not in row], columns))
    rows.extend(
      {"suite": suite, **row, "machine": about, "peaks": peaks} for row in measured
    )

  if "updates" in suites:
    per_call = (_QUICK_UPDATES if quick else _UPDATES)[device]
    print(
      f"updates: calls of {per_call}, {_WARM_UPS[device]} warm-up, {repeats} timed\n"
    )
    for losses in ("all", "no_vgg"):
      ways = updates.ways(device=device, updates=per_call, losses=[losses], **_SIZE)
      effort = {"warm_ups": _WARM_UPS[device], "repeats": repeats, "peaks": peaks}
      keep("updates", updates.COLUMNS, updates.measure(ways, **effort))
  if "flow" in suites:
    keep("flow", flow_speed.COLUMNS, flow_speed.measure(**_SIZE, repeats=repeats))
  if "stages" in suites:
    measured = stages.measure(**_SIZE, on_cpu=device == "cpu")
    keep("stages", stages.COLUMNS, measured)
  if "scaling" in suites:
    effort = {"updates": _UPDATES[device], "repeats": repeats, "peaks": peaks}
    keep("scaling", scaling.COLUMNS, scaling.measure(device=device, **effort))
  if "throughput" in suites:
    effort = {"updates": _UPDATES[device], "repeats": repeats}
    keep("throughput", throughput.COLUMNS, throughput.measure(device=device, **effort))
  return rows
