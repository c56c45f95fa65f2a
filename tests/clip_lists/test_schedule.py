"""What is sent when, and what follows from how a step ends; no Ray takes part."""

import pytest

from dipvid_jax.clip_lists.job import Job, outcome_of
from dipvid_jax.clip_lists.on_ray.schedule import LostError, Schedule
from dipvid_jax.clip_lists.on_ray.step import Split
from dipvid_jax.errors import InputError
from dipvid_jax.method.recipes import load_config
from dipvid_jax.storage.locks import sole_writer


def make_jobs(folder, count):
  names = [str(folder / f"out{k}") for k in range(count)]
  return [
    Job(load_config("fast", video="v", mask="m", output=name), line)
    for line, name in enumerate(names, 2)
  ]


class Pool:
  """Ends steps one by one, in the order sent; `answers` says how, by line."""

  most_pending = 3

  def __init__(self, answers):
    """Takes, by line, what the attempts come to; a list runs out into "done"."""
    self.answers = {line: list(given) for line, given in answers.items()}
    self.sent = []
    self.most = 0

  def send(self, step):
    """Notes the step."""
    self.sent.append((step.job.line, step.window))
    return len(self.sent), step

  def ended(self, tickets, *, timeout):
    """The first of them."""
    self.most = max(self.most, len(tickets))
    return tickets[:1]

  def result(self, ticket):
    """The next answer for the line."""
    step = ticket[1]
    given = self.answers.get(step.job.line)
    answer = given.pop(0) if given else "done"
    if isinstance(answer, Exception):
      raise answer
    if isinstance(answer, str):
      return outcome_of(step.job, answer)._replace(note=f"was {answer}", seconds=2.0)
    return answer


class Clock:
  """Moves by a second at each look."""

  now = 0.0

  def __call__(self):
    """The time; later at each call."""
    self.now += 1
    return self.now


def work(jobs, answers, *, standing=lambda step: ()):
  pool = Pool(answers)
  schedule = Schedule(jobs, pool, standing=standing, clock=Clock())
  settled = list(schedule.outcomes())
  assert len({index for index, _ in settled}) == len(settled)
  return pool, {jobs[index].line: outcome for index, outcome in settled}


def test_every_clip_is_sent_once_and_few_at_a_time(tmp_path):
  jobs = make_jobs(tmp_path, 10)
  pool, outcomes = work(jobs, {4: ["failed"]})
  assert [line for line, _ in pool.sent] == list(range(2, 12))
  assert pool.most == pool.most_pending
  states = [outcomes[line].state for line in range(2, 12)]
  assert states == ["done"] * 2 + ["failed"] + ["done"] * 7


def test_windows_are_steps_and_the_clip_is_joined_after_the_last(tmp_path):
  jobs = make_jobs(tmp_path, 2)
  pool, outcomes = work(jobs, {2: [Split((0, 2, 3))]})
  of_first = [window for line, window in pool.sent if line == 2]
  assert of_first == [None, 0, 2, 3, None]
  assert pool.sent.index((2, 0)) < pool.sent.index((2, 3))
  assert outcomes[2].state == "done" and outcomes[2].seconds == 4 * 2.0
  assert outcomes[3].state == "done"


def test_a_window_that_fails_is_the_clips_failure_and_nothing_is_joined(tmp_path):
  jobs = make_jobs(tmp_path, 1)
  pool, outcomes = work(jobs, {2: [Split((0, 1, 2, 3)), "done", "failed"]})
  assert outcomes[2].state == "failed" and outcomes[2].note == "was failed"
  assert pool.sent.count((2, None)) == 1


def test_a_poison_clip_does_not_take_the_list_down(tmp_path):
  jobs = make_jobs(tmp_path, 3)
  pool, outcomes = work(jobs, {3: [LostError("its worker died")] * 9})
  assert [line for line, _ in pool.sent].count(3) == 3
  assert outcomes[3].state == "failed"
  assert outcomes[3].note == "its worker died; 3 attempts left no new checkpoint"
  assert outcomes[2].state == outcomes[4].state == "done"


def test_a_clip_is_sent_again_as_long_as_its_checkpoints_advance(tmp_path):
  jobs = make_jobs(tmp_path, 1)
  looks = iter(range(1000))
  pool, outcomes = work(
    jobs, {2: [LostError("died")] * 20}, standing=lambda step: (next(looks),)
  )
  assert len(pool.sent) == 21 and outcomes[2].state == "done"


def test_deaths_are_counted_since_the_last_checkpoint(tmp_path):
  jobs = make_jobs(tmp_path, 1)
  # Before and after each attempt: the third one of six leaves a checkpoint.
  stands = iter([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
  pool, outcomes = work(
    jobs, {2: [LostError("died")] * 20}, standing=lambda step: (next(stands),)
  )
  assert len(pool.sent) == 6 and outcomes[2].state == "failed"


def test_a_clip_that_another_command_writes_is_looked_at_again(tmp_path):
  jobs = make_jobs(tmp_path, 2)
  pool, outcomes = work(jobs, {2: ["running", "running"]})
  assert [line for line, _ in pool.sent] == [2, 3, 2, 2]
  assert outcomes[2].state == "done"


def test_a_clip_that_is_locked_is_not_sent_again_before_it_is_free(tmp_path):
  jobs = make_jobs(tmp_path, 1)
  jobs[0].output.mkdir()
  looks = []

  class Slow(Pool):
    def ended(self, tickets, *, timeout):
      looks.append(len(self.sent))
      if len(looks) == 1:
        held.enter(jobs[0].output)
      if len(looks) == 40:
        held.leave()
      return super().ended(tickets, timeout=timeout)

  class Held:
    def enter(self, folder):
      self.lock = sole_writer(folder)
      self.lock.__enter__()

    def leave(self):
      self.lock.__exit__(None, None, None)

  held = Held()
  pool = Slow({2: ["running"]})
  schedule = Schedule(jobs, pool, standing=lambda step: (), clock=Clock())
  assert [outcome.state for _, outcome in schedule.outcomes()] == ["done"]
  assert looks[38] == 1 and len(pool.sent) == 2


def test_what_cannot_be_sent_fails_alone(tmp_path):
  jobs = make_jobs(tmp_path, 3)

  class Picky(Pool):
    def send(self, step):
      if step.job.line == 3:
        raise InputError("--output: no room")
      return super().send(step)

  pool = Picky({})
  schedule = Schedule(jobs, pool, standing=lambda step: (), clock=Clock())
  outcomes = {jobs[i].line: outcome for i, outcome in schedule.outcomes()}
  assert [outcomes[line].state for line in (2, 3, 4)] == ["done", "failed", "done"]
  assert outcomes[3].note == "--output: no room"


@pytest.mark.parametrize("count", [0, 1])
def test_short_lists(tmp_path, count):
  _, outcomes = work(make_jobs(tmp_path, count), {})
  assert len(outcomes) == count
