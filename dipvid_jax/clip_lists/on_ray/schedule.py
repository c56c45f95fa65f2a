"""Which step is sent when, and what follows from how it ends."""

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from dipvid_jax.clip_lists.attempt import one_line
from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.clip_lists.on_ray.step import Split, Step
from dipvid_jax.errors import InputError
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.storage.locks import check_free

_MOST_DEATHS = 3  # of attempts one after the other that leave no new checkpoint
_LOOK = 1.0  # seconds between looks at what is running
_PAUSE = 5.0  # seconds between looks at a clip that another command writes


class LostError(Exception):
  """The process that took a step has died, or its node; the line says which."""


class Pool(Protocol):
  """Takes steps, each in a process of its own."""

  @property
  def most_pending(self) -> int:
    """How many steps to have sent at a time: those that run, and some that wait."""

  def send(self, step: Step) -> Any:
    """Sends a step; returns a ticket for it."""

  def ended(self, tickets: Sequence[Any], *, timeout: float) -> list[Any]:
    """Waits up to some seconds for one to end; returns those that have."""

  def result(self, ticket: Any) -> Outcome | Split:
    """What a step that has ended came to.

    Raises:
      LostError: its process has died.
    """


@dataclasses.dataclass
class Attempt:
  """A step that is to be taken, or is being taken.

  Attributes:
    index: of the clip in the list.
    step: what is taken.
    deaths: how many attempts died one after the other without a new checkpoint.
    standing: how far the run was when it was sent.
    not_before: when it may be sent, by the monotonic clock.
  """

  index: int
  step: Step
  deaths: int = 0
  standing: Any = None
  not_before: float = 0.0


class Schedule:
  """Takes all clips of a list to their outcome."""

  def __init__(
    self,
    jobs: Sequence[Job],
    pool: Pool,
    *,
    standing: Callable[[Step], Any],
    on_look: Callable[[Sequence[Attempt]], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Queues the list.

    Args:
      jobs: the list.
      pool: takes the steps.
      standing: how far a step's run is, as `runs.standing.advance`.
      on_look: told every second of the steps that are sent.
      clock: seconds.
    """
    self._jobs, self._pool = jobs, pool
    self._standing, self._on_look, self._clock = standing, on_look, clock
    self._fresh = iter(range(len(jobs)))
    self._queue: collections.deque[Attempt] = collections.deque()
    self._sent: dict[Any, Attempt] = {}
    self._windows: dict[int, set[int]] = {}  # by clip, those not done yet
    self._seconds: dict[int, float] = collections.defaultdict(float)
    self._settled: set[int] = set()

  def outcomes(self) -> Iterator[tuple[int, Outcome]]:
    """Works until every clip is settled.

    Yields:
      A clip's index and its outcome, done or failed, as soon as it is settled.
    """
    while True:
      yield from self._send()
      if not self._sent and not self._queue:
        return
      self._on_look(list(self._sent.values()))
      for ticket in self._pool.ended(list(self._sent), timeout=_LOOK):
        attempt = self._sent.pop(ticket)
        try:
          result = self._pool.result(ticket)
        except LostError as error:
          settled = self._lost(attempt, str(error))
        else:
          settled = self._ended(attempt, result)
        if settled is not None and attempt.index not in self._settled:
          self._settled.add(attempt.index)
          yield attempt.index, settled

  def _send(self) -> Iterator[tuple[int, Outcome]]:
    """Sends as much as the pool takes; yields clips that are settled without."""
    while len(self._sent) < self._pool.most_pending:
      attempt = self._next()
      if attempt is None:
        return
      job = attempt.step.job
      try:
        if RunFolder(job.output).is_finished(job.config.to_dict()):
          self._settled.add(attempt.index)
          yield attempt.index, self._timed(attempt, outcome_of(job, "done"))
          continue
        attempt.standing = self._standing(attempt.step)
        self._sent[self._pool.send(attempt.step)] = attempt
      except (InputError, OSError) as error:
        failed = outcome_of(job, "failed")._replace(note=one_line(error))
        self._settled.add(attempt.index)
        yield attempt.index, self._timed(attempt, failed)

  def _next(self) -> Attempt | None:
    """The next step that may be sent: what is under way before what is not begun."""
    for _ in range(len(self._queue)):
      attempt = self._queue.popleft()
      if attempt.index in self._settled:
        continue
      if attempt.not_before <= self._clock() and not self._is_written(attempt):
        return attempt
      self._queue.append(attempt)
    index = next(self._fresh, None)
    return None if index is None else Attempt(index, Step(self._jobs[index]))

  def _is_written(self, attempt: Attempt) -> bool:
    """Whether a clip that another command had is still written by it."""
    if not attempt.not_before:
      return False
    try:
      check_free(attempt.step.job.output)
    except InputError:
      attempt.not_before = self._clock() + _PAUSE
      return True
    return False

  def _ended(self, attempt: Attempt, result: Outcome | Split) -> Outcome | None:
    """Follows a step that ended; returns the clip's outcome if it is settled."""
    index, step = attempt.index, attempt.step
    if isinstance(result, Split):
      self._windows[index] = set(result.windows)
      steps = [Step(step.job, number) for number in result.windows]
      self._queue.extendleft(Attempt(index, one) for one in reversed(steps))
      return None
    self._seconds[index] += result.seconds
    if result.state == "running":
      pause = self._clock() + _PAUSE
      self._queue.append(dataclasses.replace(attempt, not_before=pause))
      return None
    if result.state == "failed" or step.window is None:
      return self._timed(attempt, result)
    self._windows[index].discard(step.window)
    if not self._windows[index]:
      self._queue.appendleft(Attempt(index, Step(step.job)))  # joins them
    return None

  def _lost(self, attempt: Attempt, reason: str) -> Outcome | None:
    """Sends a step again, unless it keeps dying without a new checkpoint."""
    advanced = self._standing(attempt.step) > attempt.standing
    attempt.deaths = 0 if advanced else attempt.deaths + 1
    if attempt.deaths < _MOST_DEATHS:
      self._queue.appendleft(attempt)
      return None
    note = f"{reason}; {_MOST_DEATHS} attempts left no new checkpoint"
    failed = outcome_of(attempt.step.job, "failed")._replace(note=note)
    return self._timed(attempt, failed)

  def _timed(self, attempt: Attempt, outcome: Outcome) -> Outcome:
    return outcome._replace(seconds=self._seconds[attempt.index])
