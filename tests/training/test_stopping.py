"""Runs that end before their schedule does: when, why, and after an interruption."""

import jax
import numpy as np
import pytest

from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.recipes import load_config
from dipvid_jax.training import stopping as stopping_module
from dipvid_jax.training.stopping import Stopping
from tests.support.callbacks import Recorder
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import moving_hole, random_video_flow, translating_clip

COUNT, SIZE = 8, (12, 16)


@pytest.fixture
def clock(monkeypatch):
  """A clock that the test sets, in seconds."""
  now = [1000.0]
  monkeypatch.setattr(stopping_module.time, "monotonic", lambda: now[0])
  return now


def ends_at(psnrs, *, patience):
  """The number of the round that ends the run, from 1; None if none does."""
  stopping = Stopping(patience=patience)
  for number, psnr in enumerate(psnrs, start=1):
    stopping.check_quality(psnr)
    if stopping.reason:
      return number
  return None


@pytest.mark.parametrize(
  ("psnrs", "patience", "end"),
  [
    ([20, 21, 22, 23], 1, None),
    ([20, 20, 21], 1, 2),
    ([20, 19, 20.04, 22], 2, 3),
    ([20, 19, 20.05, 20.05, 20.09], 2, 5),
    ([20, 20.03, 20.06, 20.09, 20.12], 2, None),  # slow, but it rises
    ([20, 19, 18], 3, None),
    ([None, None, None], 1, None),
    ([20, 20, 20], None, None),
  ],
)
def test_patience_counts_rounds_without_a_rise(psnrs, patience, end):
  assert ends_at(psnrs, patience=patience) == end


def test_the_reason_names_the_rounds_and_the_rise():
  stopping = Stopping(patience=2)
  for psnr in (20.0, 20.0, 20.0):
    stopping.check_quality(psnr)
  assert stopping.reason == "no rise of 0.05 dB on held-out pixels for 2 rounds"


def test_time_is_counted_from_the_start(clock):
  stopping = Stopping(minutes=2)
  clock[0] += 119
  stopping.check_time()
  assert not stopping.reason and stopping.seconds == 119
  clock[0] += 1
  stopping.check_time()
  assert stopping.reason == "2 minutes are used up (max_minutes)"


def test_without_limits_nothing_ends(clock):
  stopping = Stopping()
  clock[0] += 1e9
  stopping.check_time()
  for _ in range(100):
    stopping.check_quality(10.0)
  assert stopping.reason == ""


def test_a_resumed_run_has_its_time_and_patience_left(clock):
  clock[0] += 5  # reading
  stopping = Stopping(patience=3, minutes=1, begun=clock[0] - 55)
  stopping.restore(psnrs=[20.0, 20.0], reason="")
  assert stopping.seconds == 55
  stopping.check_quality(20.0)
  assert not stopping.reason
  stopping.check_quality(20.0)
  assert "3 rounds" in stopping.reason
  other = Stopping(minutes=1, begun=clock[0] - 60)
  other.check_time()
  assert "1 minutes" in other.reason


def run(*, recorder=None, stopping=None, **changes):
  """Rounds of 2 batches of 2 updates; `(result, what it reported)`."""
  config = load_config(
    "flow",
    **{
      **{"levels": 1, "rounds": 3, "batches_per_round": 2, "inner_steps": 2},
      **{"schedule": "shuffled", "strides": (1,), "perceptual_weight": 0.0},
      **{"holdout_fraction": 0.1, **changes},
    },
  )
  recorder = recorder or Recorder()
  result = inpaint_video(
    translating_clip(COUNT, SIZE, step=(1, 0)),
    moving_hole(COUNT, SIZE),
    config=config,
    video_flow=random_video_flow(COUNT, SIZE, (1,)),
    callbacks=recorder,
    stopping=stopping,
  )
  return result, recorder


def rounds_of(recorder):
  """Updates done at the end of each round."""
  return [int(state.step) for state in recorder.states]


def psnrs_of(recorder):
  return [result.holdout_psnr for result in recorder.results]


class Impatient(Stopping):
  """A run whose quality keeps falling."""

  def check_quality(self, psnr):
    super().check_quality(-float(len(self.seen)))
    self.seen.append(psnr)

  seen: list


def impatient(patience):
  stopping = Impatient(patience=patience)
  stopping.seen = []
  return stopping


def test_a_run_out_of_patience_ends_as_if_its_updates_were_done():
  stopping = impatient(1)
  stopped, recorder = run(stopping=stopping)
  assert rounds_of(recorder) == [4, 8] and "1 rounds" in stopping.reason
  assert stopping.seen == psnrs_of(recorder)
  done, other = run(max_updates=8)
  assert rounds_of(other) == [4, 8]
  jax.tree.map(np.testing.assert_array_equal, recorder.states, other.states)
  for a, b in zip(stopped, done, strict=True):
    np.testing.assert_array_equal(a, b)


def test_the_last_round_of_the_schedule_needs_no_reason():
  stopping = impatient(2)
  _, recorder = run(stopping=stopping)
  assert rounds_of(recorder) == [4, 8, 12] and not stopping.reason
  assert stopping.seen == psnrs_of(recorder)[:-1]


def test_time_ends_the_run_within_a_round(clock):
  class Slow(Recorder):
    def on_visit(self, visit, metrics, state):
      clock[0] += 35

  stopping = Stopping(minutes=1)
  stopped, recorder = run(stopping=stopping, recorder=Slow())
  assert rounds_of(recorder) == [4, 6] and "1 minutes" in stopping.reason
  done, _ = run(max_updates=6)
  np.testing.assert_array_equal(stopped.full, done.full)


def test_the_config_sets_both_limits(clock):
  _, recorder = run(max_minutes=0.0)
  assert rounds_of(recorder) == [2]
  _, recorder = run(learning_rate=1e-30, stop_patience=1)
  assert rounds_of(recorder) == [4, 8]


def test_a_stopped_run_is_not_trained_further():
  _, recorder = run(max_minutes=0.0)
  stopping = Stopping()

  def resume_from(fresh):
    stopping.restore(psnrs=psnrs_of(recorder), reason="it was enough")
    return recorder.states[-1]

  again, later = run(stopping=stopping, recorder=Recorder(resume_from))
  assert not later.events
  first, _ = run(max_updates=2)
  np.testing.assert_array_equal(again.full, first.full)
