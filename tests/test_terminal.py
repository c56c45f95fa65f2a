"""Progress: counts updates, is quiet where there is no terminal."""

import numpy as np
import pytest

from dipvid_jax import terminal


def metrics(updates):
  return {"loss": np.linspace(0.5, 0.25, updates), "image": np.zeros(updates)}


@pytest.fixture
def clock(monkeypatch):
  """A clock that the test sets."""
  now = [100.0]
  monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
  return now


@pytest.fixture
def bar(clock):
  bar = terminal.FitProgress(total_updates=1_000, rounds=2)
  yield bar
  bar.close()


def test_the_rate_is_that_of_the_last_visit(bar, clock):
  clock[0] += 4
  assert bar.visit(0, metrics(100)) == pytest.approx(25)
  clock[0] += 10
  assert bar.visit(0, metrics(100)) == pytest.approx(10)


def test_a_pause_is_left_out_of_the_rate(bar, clock):
  bar.visit(0, metrics(100))
  clock[0] += 1_000
  bar.pause()
  clock[0] += 5
  assert bar.visit(1, metrics(100)) == pytest.approx(20)


def test_updates_are_counted_from_where_a_run_resumes(bar):
  bar.resume(300)
  bar.visit(0, metrics(100))
  bar.visit(0, metrics(7))
  assert bar.update == 407


def test_a_call_of_several_visits_counts_all_their_updates(bar, clock):
  clock[0] += 10
  assert bar.visit(0, metrics(50)) == pytest.approx(5)
  assert bar.update == 50


def test_is_quiet_where_there_is_no_terminal(capfd, clock):
  bar = terminal.FitProgress(total_updates=100, rounds=1)
  bar.visit(0, metrics(100))
  bar.window(1, 3)
  bar.close()
  with terminal.stage("read", 3) as step:
    step(3)
  assert capfd.readouterr() == ("", "")


def test_a_line_is_said_all_the_same(capfd):
  terminal.say("one line")
  assert capfd.readouterr().out == "one line\n"


def visit_for(bar, clock, seconds):
  clock[0] += seconds
  bar.visit(0, metrics(100))


def test_the_time_that_the_rest_takes_is_said_once_it_is_known(clock, capsys):
  """Not from the first visit, which compiles; with the windows that follow."""
  bar = terminal.FitProgress(total_updates=1_000, rounds=2, updates_after=4_000)
  visit_for(bar, clock, 500)
  assert capsys.readouterr().out == ""
  visit_for(bar, clock, 80)
  said = capsys.readouterr().out
  assert said == "about 1:04 (h:mm) for 4,800 more updates at 1.25 updates/s\n"
  visit_for(bar, clock, 200)
  bar.close()
  assert capsys.readouterr().out == ""


def test_a_rest_of_seconds_is_not_worth_a_line(bar, clock, capsys):
  visit_for(bar, clock, 5)
  visit_for(bar, clock, 1)
  assert capsys.readouterr().out == ""
