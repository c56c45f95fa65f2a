"""A list of clips: finished ones are skipped, failures recorded, nothing is lost."""

import contextlib
import csv
import errno
import itertools

import jax
import pytest

from dipvid_jax.clip_lists import attempt as attempt_module
from dipvid_jax.clip_lists.inpaint_many import inpaint_many
from dipvid_jax.clip_lists.job import Job, Outcome
from dipvid_jax.clip_lists.one_by_one import work_one_by_one
from dipvid_jax.clip_lists.summary import outcome_table, write_outcomes
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.storage.locks import sole_writer


@pytest.fixture
def jobs(tmp_path):
  """Four clips, from line 2 on."""
  outputs = {line: str(tmp_path / f"out/{line}") for line in range(2, 6)}
  return [
    Job(load_config("fast", video="v", mask="m", output=output), line)
    for line, output in outputs.items()
  ]


class Runs:
  """Stands in for `run`: writes the files that show that a run began and ended."""

  def __init__(self, **errors):
    """Takes the errors to raise in the middle of a run, by `lineN`."""
    self.errors = errors
    self.begun = []

  def __call__(self, config, *, resume):
    """Makes the files; the folder's name is its line."""
    folder = RunFolder(config.output.folder)
    assert resume is None
    self.begun.append((int(folder.path.name), folder.holds_run()))
    folder.create(config.to_dict(), resume=folder.holds_run())
    if error := self.errors.get(f"line{folder.path.name}"):
      raise error
    for name in ("inpainted.mp4", "full.mp4"):
      (folder.path / name).touch()


@pytest.fixture
def work(monkeypatch):
  """The outcomes of a list that never has to wait."""

  def work(jobs, runs, sleep=lambda seconds: pytest.fail("it waits")):
    monkeypatch.setattr(attempt_module, "run", runs)
    return [outcome for _, outcome in sorted(work_one_by_one(jobs, sleep=sleep))]

  return work


def states(outcomes):
  return [outcome.state for outcome in outcomes]


def test_finished_clips_are_skipped_and_unfinished_ones_resume(jobs, work):
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
def test_a_failure_is_one_line_and_the_list_continues(jobs, work, capsys, error, note):
  outcomes = work(jobs, Runs(line3=error))
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert outcomes[1].note == note
  assert "Traceback" not in capsys.readouterr().err


def test_a_bug_shows_its_traceback_and_the_list_continues(jobs, work, capsys):
  outcomes = work(jobs, Runs(line2=KeyError("missing")))
  assert states(outcomes) == ["failed", "done", "done", "done"]
  assert outcomes[0].note == "KeyError: 'missing'"
  assert "Traceback" in capsys.readouterr().err


def test_a_failure_is_tried_again_by_the_next_command(jobs, work):
  assert states(work(jobs, Runs(line3=MemoryError()))).count("failed") == 1
  runs = Runs()
  assert states(work(jobs, runs)) == ["done"] * 4
  assert runs.begun == [(3, True)]


def test_a_folder_of_another_run_fails_alone(jobs, work):
  work(jobs[1:2], Runs())
  jobs[1] = jobs[1]._replace(config=jobs[1].config.replace(seed=9))
  runs = Runs()
  outcomes = work(jobs, runs)
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert "seed (0 there, 9 here)" in outcomes[1].note
  assert 3 not in [line for line, _ in runs.begun]


def test_a_folder_that_cannot_be_made_fails_alone(jobs, work, tmp_path):
  (tmp_path / "file").touch()
  config = jobs[1].config.replace(output=str(tmp_path / "file/out"))
  jobs[1] = jobs[1]._replace(config=config)

  class Real(Runs):
    def __call__(self, config, *, resume):
      if "file" in config.output.folder:
        with RunFolder(config.output.folder).claim(overwrite=False, resume=False):
          pytest.fail("it is a file")
      super().__call__(config, resume=resume)

  outcomes = work(jobs, Real())
  assert states(outcomes) == ["done", "failed", "done", "done"]
  assert str(tmp_path / "file") in outcomes[1].note


def test_a_broken_device_stops_the_list_and_not_the_clip(jobs, work, monkeypatch):
  monkeypatch.setattr(attempt_module, "_device_works_after", lambda error: False)
  error = jax.errors.JaxRuntimeError("INTERNAL: the device is lost")
  with pytest.raises(jax.errors.JaxRuntimeError):
    work(jobs, Runs(line3=error))
  runs = Runs()
  assert states(work(jobs, runs)) == ["done"] * 4
  assert runs.begun[0] == (3, True)


def test_a_device_that_computes_works():
  error = jax.errors.JaxRuntimeError("INTERNAL: no algorithm")
  assert attempt_module._device_works_after(error)


def test_it_waits_for_a_folder_that_another_command_writes(jobs, work, capsys):
  """That command is killed at the second look; its clip is made here."""
  folder = jobs[2].output
  folder.mkdir(parents=True)
  other = contextlib.ExitStack()
  other.enter_context(sole_writer(folder))
  looks = itertools.count(1)
  runs = Runs()
  outcomes = work(
    jobs, runs, sleep=lambda seconds: other.close() if next(looks) == 2 else None
  )
  assert states(outcomes) == ["done"] * 4
  assert [line for line, _ in runs.begun] == [2, 3, 5, 4]
  assert capsys.readouterr().out.count("waiting for 1 clip that") == 1


def test_the_library_takes_configs_and_tells_of_each(jobs, monkeypatch):
  monkeypatch.setattr(attempt_module, "run", Runs(line4=MemoryError()))
  outcomes = inpaint_many([job.config for job in jobs])
  assert states(outcomes) == ["done", "done", "failed", "done"]
  assert [outcome.output for outcome in outcomes] == [str(job.output) for job in jobs]


def test_two_clips_cannot_have_one_folder(jobs):
  with pytest.raises(InputError, match="two clips of the list"):
    inpaint_many([jobs[0].config, jobs[1].config, jobs[0].config])
  with pytest.raises(InputError, match="no output"):
    inpaint_many([load_config("fast", video="v", mask="m")])


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
