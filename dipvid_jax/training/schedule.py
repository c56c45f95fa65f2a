"""Which batch is visited when, and for how many updates."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError

FORWARD, BACKWARD = 0, 1
# The last is make_frame_schedule's, the others are make_schedule's.
SCHEDULES = ("rounds", "epochs", "shuffled", "middle_last", "frames")


class Visit(NamedTuple):
  """Some updates on one batch.

  Attributes:
    start: the batch's earliest frame.
    stride_index: position of its stride among the run's strides.
    direction: `FORWARD` or `BACKWARD` in time.
    updates: their number.
    round: the round it belongs to, from 0.
    ends_round: inference and a checkpoint follow.
  """

  start: int
  stride_index: int
  direction: int
  updates: int
  round: int
  ends_round: bool = False


def usable_strides(
  frame_count: int, *, strides: Sequence[int], batch_size: int
) -> tuple[int, ...]:
  """The strides at which a clip has at least one batch: T > (N-1) * t."""
  return tuple(t for t in strides if frame_count > (batch_size - 1) * t)


def make_schedule(
  frame_count: int,
  *,
  strides: Sequence[int],
  batch_size: int = 5,
  rounds: int = 20,
  batches_per_round: int = 50,
  inner_steps: int = 100,
  seed: int = 0,
  schedule: str = "rounds",
  max_updates: int | None = None,
) -> list[Visit]:
  """The visits of a method whose network sees the whole clip, in order.

  `rounds` is DIP-Vid-Flow in the authors' program: all (start, stride, direction) are
  shuffled and taken one by one, and reshuffled when none is left; a round is
  `batches_per_round` of them, then the median batch. `epochs` follows the paper's
  text: a round is every batch once, shuffled. `shuffled` is `rounds` without the
  median batch. `middle_last` is DIP-Vid and DIP-Vid-3DCN: a round is every batch once,
  forward in time only, shuffled except for the median one, which is last.

  Args:
    frame_count: T.
    strides: distances in frames, all usable.
    batch_size: N.
    rounds: rounds, or epochs.
    batches_per_round: batches in a round, before the median one; ignored by `epochs`
      and `middle_last`, whose rounds are all batches.
    inner_steps: updates of each visit.
    seed: of the shuffling.
    schedule: any of `SCHEDULES` but the last.
    max_updates: the schedule is cut exactly there; nothing is appended.

  Returns:
    The visits; the last one ends a round.

  Raises:
    ValueError: an unknown schedule, a stride without a batch, or no updates.
  """
  if schedule not in SCHEDULES[:-1]:
    raise ValueError(f"schedule must be one of {SCHEDULES[:-1]}, got {schedule!r}")
  if usable_strides(frame_count, strides=strides, batch_size=batch_size) != tuple(
    strides
  ):
    raise ValueError(f"{frame_count} frames have no batch at some of strides {strides}")
  middle_last = schedule == "middle_last"
  triples = [
    (start, stride_index, direction)
    for stride_index, stride in enumerate(strides)
    for start in range(frame_count - (batch_size - 1) * stride)
    for direction in ((FORWARD,) if middle_last else (FORWARD, BACKWARD))
  ]
  median_start = min(frame_count // 2, frame_count - 1 - (batch_size - 1) * strides[0])
  median = (median_start, 0, FORWARD)
  if middle_last:
    triples.remove(median)
  order = _shuffled_forever(triples, np.random.default_rng(seed))
  visits = []
  for r in range(rounds):
    whole = middle_last or schedule == "epochs"
    count = len(triples) if whole else batches_per_round
    batches = [next(order) for _ in range(count)]
    if middle_last or schedule == "rounds":
      batches.append(median)
    visits += [Visit(*batch, inner_steps, r) for batch in batches]
    visits[-1] = visits[-1]._replace(ends_round=True)
  return _cut(visits, max_updates)


def make_frame_schedule(
  frame_count: int, *, updates: int, inner_steps: int
) -> list[Visit]:
  """The visits of DIP: a round is one frame, with its own network.

  Args:
    frame_count: T.
    updates: updates of each network.
    inner_steps: the most updates of a visit.

  Returns:
    The visits; `start` is the frame.

  Raises:
    ValueError: no frames, or no updates.
  """
  if frame_count < 1:
    raise ValueError(f"a schedule of {frame_count} frames")
  visits = []
  for frame in range(frame_count):
    full = [Visit(frame, 0, FORWARD, inner_steps, frame)] * -(-updates // inner_steps)
    visits += _cut(full, updates)
  return visits


def visits_left(visits: list[Visit], updates_done: int) -> list[Visit]:
  """The visits that remain after `updates_done` updates.

  Args:
    visits: the whole schedule.
    updates_done: the state's step, at the end of a visit.

  Returns:
    The rest of the schedule.

  Raises:
    InputError: `updates_done` is not the end of a visit of this schedule.
  """
  done = 0
  for i, visit in enumerate(visits):
    if done == updates_done:
      return visits[i:]
    done += visit.updates
  if done == updates_done:
    return []
  raise InputError(
    f"the checkpoint has {updates_done} updates, which is not the end of a batch of "
    f"this schedule: resume with the config that the run began with"
  )


def _shuffled_forever(
  triples: list[tuple[int, int, int]], generator: np.random.Generator
) -> Iterator[tuple[int, int, int]]:
  while True:
    for index in generator.permutation(len(triples)):
      yield triples[index]


def _cut(visits: list[Visit], max_updates: int | None) -> list[Visit]:
  """The visits up to exactly `max_updates` updates."""
  if max_updates is not None:
    kept, left = [], max_updates
    for visit in visits:
      if left <= 0:
        break
      kept.append(visit._replace(updates=min(visit.updates, left)))
      left -= visit.updates
    visits = kept
  if not visits or any(visit.updates < 1 for visit in visits):
    raise ValueError("the schedule has no updates")
  return [*visits[:-1], visits[-1]._replace(ends_round=True)]
