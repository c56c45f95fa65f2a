"""When a run ends before its schedule does."""

import time
from collections.abc import Iterable

RISE = 0.05  # decibels that count as a rise


class Stopping:
  """A time budget, and patience with quality that no longer rises.

  The run then ends as if its schedule did: with a round's inference and checkpoint.

  Attributes:
    reason: why the run ends, in a few words; empty while it runs.
    minutes: its time budget; None: no limit.
  """

  def __init__(
    self,
    *,
    patience: int | None = None,
    minutes: float | None = None,
    begun: float | None = None,
  ):
    """Starts the clock.

    Args:
      patience: rounds without a rise after which the run ends; None: never.
      minutes: the run's time budget; None: no limit.
      begun: when the time started, in seconds of `time.monotonic`; None: now.
    """
    self.reason = ""
    self.minutes = minutes
    self._patience = patience
    self._begun = time.monotonic() if begun is None else begun
    self._best = float("-inf")
    self._rounds_since_rise = 0

  @property
  def seconds(self) -> float:
    """Time used so far."""
    return time.monotonic() - self._begun

  def restore(self, *, psnrs: Iterable[float], reason: str) -> None:
    """Resumes where an interrupted training was.

    Args:
      psnrs: of its rounds, decibels.
      reason: why it ended; empty if it did not.
    """
    for psnr in psnrs:
      self._count(psnr)
    self.reason = reason

  def check_need(self, uncarried: float, *, least: float) -> None:
    """Ends the run before its first update if there is too little left to fill.

    Args:
      uncarried: share of the hole that nothing was carried to.
      least: what it must be for a training.
    """
    if uncarried < least:
      self.reason = (
        f"pixels are carried to {1 - uncarried:.1%} of the hole, and no network is"
        " needed (least_uncarried=0 trains one)"
      )

  def check_time(self) -> None:
    """Ends the run if its time is used up."""
    if self.minutes is not None and self.seconds >= 60 * self.minutes:
      self.reason = f"{self.minutes:g} minutes are used up (max_minutes)"

  def check_quality(self, psnr: float | None) -> None:
    """Counts a round, and ends the run if its patience is used up.

    Args:
      psnr: the round's on held-out pixels, decibels; None if not measured.
    """
    if psnr is None:
      return
    self._count(psnr)
    if self._patience is not None and self._rounds_since_rise >= self._patience:
      self.reason = (
        f"no rise of {RISE} dB on held-out pixels for {self._rounds_since_rise} rounds"
      )

  def _count(self, psnr: float) -> None:
    rises = psnr >= self._best + RISE
    self._rounds_since_rise = 0 if rises else self._rounds_since_rise + 1
    if rises:
      self._best = psnr
