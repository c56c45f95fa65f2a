"""A list of clips: finished ones are skipped, failures recorded, nothing is lost."""

import contextlib
import csv
import errno
import time

import jax
import pytest

from dipvid_jax.clip_lists import claims
from dipvid_jax.clip_lists import worker as worker_module
from dipvid_jax.clip_lists.claims import Claims
from dipvid_jax.clip_lists.worker import (
  Job,
  Outcome,
  Worker,
  outcome_table,
  write_outcomes,
)
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.storage.locks import sole_writer

_TIMEOUT = 60.0


@pytest.fixture
def jobs(tmp_path):
  """Four clips, from line 2 on."""
  made = []
  for line in range(2, 6):
    output = tmp_path / f"out/{line}"
    config = load_config("fast", video="v", mask="m", output=str(output))
    made.append(Job(line, output, config))
  return made


def end(folder):
  """Writes the files that show that a run ended."""
  for name in ("inpainted.mp4", "full.mp4"):
    (folder / name).touch()


class Runs:
  """Stands in for `run`: writes the files that show that a run began and ended."""

  def __init__(self, **errors):
    """Takes the errors to raise in the middle of a run, by `lineN`."""
    self.errors = errors
    self.begun = []

  def __call__(self, config, *, resume):
    """Makes the files; the folder's name is its line."""
    folder = RunFolder(config.output.folder)
    self.begun.append((int(folder.path.name), resume))
    folder.create(config.to_dict(), resume=resume)
    error = self.errors.get(f"line{folder.path.name}")
    if callable(error):
      error = error()
    if error:
      raise error
    end(folder.path)


def work(jobs, run_clip, **settings):
  """The outcomes of a worker that never has to wait."""
  worker = Worker(jobs, run_clip=run_clip, **settings)
  worker.work(sleep=lambda seconds: pytest.fail("it waits"))
  return worker.outcomes()


def states(outcomes):
  return [outcome.state for outcome in outcomes]


@pytest.mark.parametrize(
  ("first", "order"), [(0, [2, 3, 4, 5]), (2, [4, 5, 2, 3]), (3, [5, 2, 3, 4])]
)
def test_a_worker_begins_at_its_share_and_then_helps_others(jobs, first, order):
  runs = Runs()
  outcomes = work(jobs, runs, first=first)
  assert [line for line, _ in runs.begun] == order
  assert [outcome.line for outcome in outcomes] == [2, 3, 4, 5]
  assert states(outcomes) == ["done"] * 4


def test_finished_clips_are_skipped_and_unfinished_ones_resume(jobs):
  with pytest.raises(KeyboardInterrupt):
    work(jobs, Runs(line3=KeyboardInterrupt()))
  runs = Runs()
  assert states(work(jobs, runs)) == ["done"] * 4
  assert runs.begun == [(3, True), (4, False), (5, False)]


@pytest.mark.parametrize(
  ("error", "note"),
  [
    (InputError("a.mp4: is no video"), "a.mp4: is no video"),
    (DivergedError("loss became nan"), "loss became nan"),
    (OSError(errno.ENOSPC, "No space left", "/x/y"), "/x/y: No space left"),
    (MemoryError(), "MemoryError"),
    (
      jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore"),
      "JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory",
    ),
    (
      jax.errors.JaxRuntimeError("INTERNAL: no algorithm"),
      "JaxRuntimeError: INTERNAL: no algorithm",
    ),
  ],
)
def test_a_failure_is_one_line_and_the_list_continues(jobs, capsys, error, note):
  outcomes = work(jobs, Runs(line3=error))
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert outcomes[1].note == note
  assert "Traceback" not in capsys.readouterr().err


def test_a_bug_shows_its_traceback_and_the_list_continues(jobs, capsys):
  outcomes = work(jobs, Runs(line2=KeyError("missing")))
  assert states(outcomes) == ["failed", "done", "done", "done"]
  assert outcomes[0].note == "KeyError: 'missing'"
  assert "Traceback" in capsys.readouterr().err


def test_a_failure_is_tried_again_by_the_next_command(jobs):
  assert states(work(jobs, Runs(line3=MemoryError()))).count("failed") == 1
  runs = Runs()
  assert states(work(jobs, runs)) == ["done"] * 4
  assert runs.begun == [(3, True)]


def test_a_failure_is_not_tried_again_by_workers_that_were_running(jobs):
  other = Worker(jobs, run_clip=Runs())
  work(jobs, Runs(line3=InputError("no video")))
  other.work(sleep=lambda seconds: pytest.fail("it waits"))
  outcomes = other.outcomes()
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert outcomes[1].note == "no video"


def test_a_folder_of_another_run_fails_alone(jobs):
  work(jobs[1:2], Runs())
  jobs[1] = jobs[1]._replace(config=jobs[1].config.replace(seed=9))
  runs = Runs()
  outcomes = work(jobs, runs)
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert "seed (0 there, 9 here)" in outcomes[1].note
  assert 3 not in [line for line, _ in runs.begun]


def test_a_folder_that_cannot_be_made_fails_alone(jobs, tmp_path):
  (tmp_path / "file").touch()
  jobs[1] = jobs[1]._replace(output=tmp_path / "file/out")
  outcomes = work(jobs, Runs())
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert str(tmp_path / "file") in outcomes[1].note


def test_a_broken_device_stops_the_worker_and_not_the_clip(jobs, monkeypatch):
  monkeypatch.setattr(worker_module, "_device_works_after", lambda error: False)
  error = jax.errors.JaxRuntimeError("INTERNAL: the device is lost")
  worker = Worker(jobs, run_clip=Runs(line3=error))
  with pytest.raises(jax.errors.JaxRuntimeError):
    worker.work()
  assert states(worker.outcomes()) == ["done", "waiting", "waiting", "waiting"]
  assert states(work(jobs, Runs())) == ["done"] * 4


def test_a_device_that_computes_works():
  error = jax.errors.JaxRuntimeError("INTERNAL: no algorithm")
  assert worker_module._device_works_after(error)


def test_a_worker_waits_for_the_last_clips_of_others(jobs, capsys):
  """One is finished by its worker; the other is freed when its worker ends."""
  config = jobs[1].config
  finisher, leaver = (Claims(job.output) for job in jobs[1:3])
  held = [finisher.take(), leaver.take()]
  slept = []

  def sleep(seconds):
    slept.append(seconds)
    shown = {outcome.line: outcome for outcome in worker.outcomes()}
    assert shown[4].state == "running" and "process" in shown[4].note
    if len(slept) == 2:
      Runs()(config, resume=False)
      for claim in held:
        claim._file.close()  # as if their processes ended

  runs = Runs()
  worker = Worker(jobs, run_clip=runs, timeout=_TIMEOUT)
  worker.work(sleep=sleep)
  assert states(worker.outcomes()) == ["done"] * 4
  assert [line for line, _ in runs.begun] == [2, 5, 4]
  assert len(slept) == 2 and max(slept) < _TIMEOUT / 4
  assert capsys.readouterr().out.count("waiting for 2 clips") == 1


def test_a_worker_waits_for_a_folder_that_another_command_writes(jobs):
  def sleep(_):
    assert worker.outcomes()[2].note == "by a separate command"
    Runs()(jobs[2].config, resume=False)
    other.close()

  folder = jobs[2].output
  folder.mkdir(parents=True)
  other = contextlib.ExitStack()
  other.enter_context(sole_writer(folder))
  runs = Runs()
  worker = Worker(jobs, run_clip=runs)
  worker.work(sleep=sleep)
  assert states(worker.outcomes()) == ["done"] * 4
  assert [line for line, _ in runs.begun] == [2, 3, 5]


def test_a_worker_that_lost_its_clip_continues_with_the_others(
  jobs, monkeypatch, capsys
):
  """It was paused; when it wakes, another machine has the clip, and finishes it."""

  def pause():
    monkeypatch.setattr(claims, "machine_id", lambda: "another")
    other = Claims(jobs[1].output, timeout=-1.0)
    taken.append(other.take())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
      time.sleep(0.01)

  def sleep(_):
    with taken[0] as claim:
      end(RunFolder(jobs[1].config.output.folder).path)
      claim.finish()

  taken = []
  runs = Runs(line3=pause)
  worker = Worker(jobs, run_clip=runs, timeout=0.8)
  worker.work(sleep=sleep)
  assert states(worker.outcomes()) == ["done"] * 4
  assert [line for line, _ in runs.begun] == [2, 3, 4, 5]
  assert "another worker has taken over" in capsys.readouterr().out


def test_a_clip_finished_just_before_its_claim_is_not_run_again(jobs, monkeypatch):
  def take(held):
    Runs()(jobs[0].config, resume=False)
    return original(held)

  original = Claims.take
  monkeypatch.setattr(Claims, "take", take)
  runs = Runs()
  assert states(work(jobs[:1], runs)) == ["done"]
  assert runs.begun == []


_OUTCOMES = [
  Outcome(2, "out/a", "done", seconds=12.34),
  Outcome(3, "out/bb", "failed", "b.mp4: no video, at all"),
  Outcome(11, "out/c", "running", "host, process 7"),
  Outcome(12, "out/d", "waiting"),
]


def test_the_table_says_what_is_not_done_and_why():
  assert outcome_table(_OUTCOMES).splitlines() == [
    "4 clips: 1 done, 1 failed, 1 running, 1 waiting",
    "line 3   failed   out/bb  b.mp4: no video, at all",
    "line 11  running  out/c   host, process 7",
    "line 12  waiting  out/d",
  ]
  assert outcome_table(_OUTCOMES[:1]) == "1 clip: 1 done"


def test_the_summary_is_csv(tmp_path):
  path = tmp_path / "summary.csv"
  write_outcomes(path, _OUTCOMES)
  with path.open(newline="") as file:
    rows = list(csv.DictReader(file))
  assert [row["state"] for row in rows] == states(_OUTCOMES)
  assert rows[0]["seconds"] == "12.3"
  assert rows[1]["note"] == "b.mp4: no video, at all"
