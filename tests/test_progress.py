"""Progress: counts updates, is quiet where there is no terminal."""

import numpy as np
import pytest

from dipvid_jax import progress
from dipvid_jax.schedule import Visit


def metrics(updates):
  return {"loss": np.linspace(0.5, 0.25, updates), "image": np.zeros(updates)}


@pytest.fixture
def clock(monkeypatch):
  """A clock that the test sets."""
  now = [100.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  return now


@pytest.fixture
def bar(clock):
  bar = progress.FitProgress(total_updates=1_000, rounds=2)
  yield bar
  bar.close()


def test_the_rate_is_that_of_the_last_visit(bar, clock):
  clock[0] += 4
  assert bar.visit(Visit(0, 0, 0, 100, 0), metrics(100)) == pytest.approx(25)
  clock[0] += 10
  assert bar.visit(Visit(0, 0, 0, 100, 0), metrics(100)) == pytest.approx(10)


def test_a_pause_is_left_out_of_the_rate(bar, clock):
  bar.visit(Visit(0, 0, 0, 100, 0), metrics(100))
  clock[0] += 1_000
  bar.pause()
  clock[0] += 5
  assert bar.visit(Visit(0, 0, 0, 100, 1), metrics(100)) == pytest.approx(20)


def test_updates_are_counted_from_where_a_run_resumes(bar):
  bar.resume(300)
  bar.visit(Visit(0, 0, 0, 100, 0), metrics(100))
  bar.visit(Visit(0, 0, 0, 7, 0), metrics(7))
  assert bar.update == 407


def test_a_call_of_several_visits_counts_all_their_updates(bar, clock):
  clock[0] += 10
  assert bar.visit(Visit(0, 0, 0, 1, 0), metrics(50)) == pytest.approx(5)
  assert bar.update == 50


def test_is_quiet_where_there_is_no_terminal(capfd, clock):
  bar = progress.FitProgress(total_updates=100, rounds=1)
  bar.visit(Visit(0, 0, 0, 100, 0), metrics(100))
  bar.window(1, 3)
  bar.close()
  with progress.stage("read", 3) as step:
    step(3)
  assert capfd.readouterr() == ("", "")


def test_a_line_is_said_all_the_same(capfd):
  progress.say("one line")
  assert capfd.readouterr().out == "one line\n"
