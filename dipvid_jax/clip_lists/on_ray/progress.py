"""What the driver of a list shows: a line for each running clip, and a bar for all."""

from collections.abc import Sequence

from tqdm import tqdm

from dipvid_jax.clip_lists.job import Job, Outcome
from dipvid_jax.clip_lists.on_ray.schedule import Attempt
from dipvid_jax.clip_lists.on_ray.step import Step
from dipvid_jax.runs.standing import read_progress
from dipvid_jax.terminal import say

_LINES = 16  # of running clips on the terminal
_EVERY = 2  # looks between two readings of the runs' files


class ListProgress:
  """A bar for the list, and below it a line for each clip that runs."""

  def __init__(self, jobs: Sequence[Job]):
    """Draws the bar.

    Args:
      jobs: the list.
    """
    self._jobs = jobs
    self._bar = tqdm(
      total=len(jobs), desc="clips", unit="clip", disable=None, dynamic_ncols=True
    )
    self._lines: list[tqdm] = []
    self._looks = 0

  def look(self, sent: Sequence[Attempt]) -> None:
    """Shows how far the steps are that were sent.

    Args:
      sent: the steps.
    """
    self._looks += 1
    if self._bar.disable or self._looks % _EVERY:
      return
    texts = [text for one in sent if (text := describe(one.step))][:_LINES]
    while len(self._lines) < len(texts):
      place = len(self._lines) + 1
      self._lines.append(
        tqdm(bar_format="{desc}", position=place, leave=False, dynamic_ncols=True)
      )
    for line, text in zip(self._lines, texts + [""] * len(self._lines), strict=False):
      line.set_description_str(text)

  def settled(self, index: int, outcome: Outcome) -> None:
    """Counts a clip and says what became of it.

    Args:
      index: of the clip.
      outcome: of it.
    """
    name = self._jobs[index].name
    if outcome.state == "failed":
      say(f"{name}: failed: {outcome.note}")
    elif outcome.seconds:
      say(f"{name}: done in {outcome.seconds:.0f} s of its nodes")
    self._bar.update()

  def close(self) -> None:
    """Ends the bar and the lines."""
    for line in self._lines:
      line.close()
    self._bar.close()


def describe(step: Step) -> str:
  """A step's line: its state, update, updates a second, and time left.

  Args:
    step: that was sent.

  Returns:
    The line; empty where the step waits for a free place.
  """
  progress = read_progress(step.folder)
  if progress.state == "not begun":
    return ""
  parts = [f"{step.name}: {progress.state}"]
  if progress.update:
    parts.append(f"update {progress.update:,}")
    if progress.updates:
      parts[-1] += f" of {progress.updates:,}"
    if rate := progress.updates_per_second:
      parts.append(f"{rate:.3g} updates/s")
      if progress.updates:
        left = max(0, progress.updates - progress.update) / rate
        parts.append(f"{left // 3600:.0f}:{left % 3600 // 60:02.0f} (h:mm) left")
  return ", ".join(parts)
