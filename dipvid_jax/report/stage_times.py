"""The time that each stage of a run takes."""

import time
from collections.abc import Mapping


class StageTimes:
  """Seconds by stage, in the order of first use.

  Attributes:
    seconds: by the stage's name.
  """

  def __init__(self) -> None:
    """Starts the clock."""
    self.seconds: dict[str, float] = {}
    self._last = time.monotonic()

  def lap(self, stage: str) -> None:
    """Adds the time since the last lap to a stage."""
    now = time.monotonic()
    self.add({stage: now - self._last})
    self._last = now

  def add(self, seconds: Mapping[str, float]) -> None:
    """Adds times that were measured elsewhere."""
    for stage, taken in seconds.items():
      self.seconds[stage] = self.seconds.get(stage, 0.0) + taken

  def skip(self) -> None:
    """Leaves out the time since the last lap: it is counted elsewhere."""
    self._last = time.monotonic()
