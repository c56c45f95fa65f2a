"""How far a run is, read from its folder while it runs, may be killed, or has ended.

Only small files are read, and JAX's backend is not started. A file that is missing or
half written counts as not there yet.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dipvid_jax.report.parts import read_facts
from dipvid_jax.runs.config_file import CONFIG_NAME
from dipvid_jax.runs.occupancy import WINDOWS
from dipvid_jax.storage.checkpoint_steps import latest_step
from dipvid_jax.storage.rows import last_row

INPAINTED_NAME, FULL_NAME = "inpainted.mp4", "full.mp4"
ARRAYS_NAME = "window.npz"
"""The result of a window that ran alone."""
_TAIL = re.compile(r"window_(\d+)_tail\.npz")


class Advance(NamedTuple):
  """What a run cannot lose any more; of two readings the later one is not less.

  Attributes:
    finished: all results are written.
    windows: how many are trained.
    steps: over all windows, the updates of the latest checkpoint and 1 for having one.
  """

  finished: bool
  windows: int
  steps: int


class Progress(NamedTuple):
  """How far a run is, for display; of a window while one trains.

  Attributes:
    state: "preparing" until the first row of metrics, "training" from there to "done".
    window: from 1.
    windows: of the clip; 0 if not known yet.
    update: of the window.
    updates: of its schedule, which can end before; 0 if not known yet.
    updates_per_second: of the latest call; 0 if not known yet.
  """

  state: Literal["not begun", "preparing", "training", "done"]
  window: int = 1
  windows: int = 0
  update: int = 0
  updates: int = 0
  updates_per_second: float = 0.0


def has_results(folder: Path) -> bool:
  """Whether a run of a clip has written all that it makes.

  Args:
    folder: of the run.
  """
  videos = all((folder / name).exists() for name in (INPAINTED_NAME, FULL_NAME))
  return videos and bool(read_facts(folder / "report").get("finished", True))


def advance(folder: Path) -> Advance:
  """What would be left of a run if it were killed now, its windows' own runs included.

  A driver compares two readings: a run that advanced before it died is worth another
  attempt.

  Args:
    folder: of a clip's run, or of a window's own; it may be missing.
  """
  done, steps = _settled(folder)
  for path in _listing(folder / WINDOWS):
    if path.name.isdecimal():
      also_done, own = _settled(path)
      done |= also_done | ({int(path.name)} if _is_done_alone(path) else set())
      for window, step in own.items():
        steps[window] = max(step, steps.get(window, 0))
  return Advance(has_results(folder), len(done), sum(steps.values()))


def _settled(folder: Path) -> tuple[set[int], dict[int, int]]:
  """The numbers of joined windows, and what counts of each window's checkpoints."""
  place = folder / "checkpoints"
  done: set[int] = set()
  steps = {0: _count(place)}  # an only window has the folder to itself
  for path in _listing(place):
    if tail := _TAIL.fullmatch(path.name):
      done.add(int(tail[1]))
    elif path.name.startswith("window_") and path.name[7:].isdecimal():
      steps[int(path.name[7:])] = _count(path)
  return done, steps


def _count(checkpoints: Path) -> int:
  step = latest_step(checkpoints)
  return 0 if step is None else step + 1


def _listing(folder: Path) -> list[Path]:
  try:
    return list(folder.iterdir())
  except OSError:
    return []


def _is_done_alone(folder: Path) -> bool:
  return (folder / ARRAYS_NAME).exists()


def read_progress(folder: Path) -> Progress:
  """How far a run is, from its last row of metrics.

  Args:
    folder: of a clip's run, or of a window's own; it may be missing.
  """
  if not (folder / CONFIG_NAME).exists():
    return Progress("not begun")
  facts, row = read_facts(folder / "report"), last_row(folder / "metrics.jsonl")
  done = _is_done_alone(folder) or has_results(folder)
  return Progress(
    state="done" if done else "training" if row else "preparing",
    window=int(_number(row, "window", missing=1)),
    windows=int(_number(facts, "windows")),
    update=int(_number(row, "update")),
    updates=int(_number(facts, "updates")),
    updates_per_second=float(_number(row, "updates_per_second")),
  )


def _number(values: Mapping[str, Any], name: str, *, missing: int = 0) -> float:
  value = values.get(name)
  return value if isinstance(value, int | float) else missing
