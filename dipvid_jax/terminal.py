"""Progress on the terminal; silent if the output is not one."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

_TIMED_VISIT = 2  # the first is mostly compilation


@contextlib.contextmanager
def stage(label: str, total: int) -> Iterator[Callable[[int], None]]:
  """A bar for a stage whose amount of work is known.

  Args:
    label: what the stage does.
    total: number of pieces of work.

  Yields:
    A function to call with the number of pieces just finished.
  """
  with tqdm(
    total=total, desc=label, disable=None, leave=True, dynamic_ncols=True
  ) as bar:
    yield bar.update


def say(line: str) -> None:
  """Prints a line without breaking a bar."""
  tqdm.write(line, file=sys.stdout)


class FitProgress:
  """The training's bar: round, batch, updates/s, time left, losses."""

  def __init__(
    self, *, total_updates: int, rounds: int, label: str = "fit", updates_after: int = 0
  ):
    """Starts the bar.

    Args:
      total_updates: of the whole run.
      rounds: of the whole run.
      label: what is trained.
      updates_after: updates that follow this bar, for the time left.
    """
    self._label = label
    self._total = total_updates
    self._after = updates_after
    self._visits = 0
    self._bar = tqdm(
      total=total_updates,
      desc=f"{label} (compiling)",
      unit="up",
      disable=None,
      dynamic_ncols=True,
    )
    self._rounds = rounds
    self._batch = 0
    self._round = -1
    self._last = time.monotonic()
    self.update = 0

  def resume(self, done: int) -> None:
    """Begins after the updates of an earlier run."""
    self.update = self._bar.initial = self._bar.n = done

  def visit(self, round_number: int, metrics: dict[str, np.ndarray]) -> float:
    """Counts a visit.

    Args:
      round_number: round of the batch just trained on, from 0.
      metrics: its losses, `[updates]` each.

    Returns:
      Updates per second since the previous visit.
    """
    now = time.monotonic()
    updates = len(metrics["loss"])
    rate = updates / max(now - self._last, 1e-9)
    self._last = now
    self.update += updates
    self._batch = self._batch + 1 if round_number == self._round else 1
    self._round = round_number
    losses = {name: f"{values[-1]:.2e}" for name, values in metrics.items()}
    self._bar.set_description(
      f"{self._label} round {round_number + 1}/{self._rounds} batch {self._batch}",
      refresh=False,
    )
    self._bar.set_postfix(losses, refresh=False)
    self._bar.update(updates)
    self._visits += 1
    if self._visits == _TIMED_VISIT:
      self._say_time(rate)
    return rate

  def _say_time(self, rate: float) -> None:
    """Prints the time left, unless it rounds to 0 minutes."""
    left = self._total - self.update + self._after
    minutes = round(left / rate / 60)
    if minutes:
      say(
        f"about {minutes // 60}:{minutes % 60:02} (h:mm) for {left:,} more updates at "
        f"{rate:.3g} updates/s"
      )

  def window(self, done: int, total: int) -> None:
    """Shows the progress of rendering."""
    self._bar.set_description(f"render {done}/{total}")

  def pause(self) -> None:
    """Excludes the time since the last visit from the next rate."""
    self._last = time.monotonic()

  def close(self) -> None:
    """Ends the bar."""
    self._bar.close()
