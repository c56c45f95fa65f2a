"""A run that finds out what its folder holds, and one that loses its folder."""

import errno
import fcntl
import shutil

import numpy as np
import pytest

from dipvid_jax.errors import BusyError, InputError
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs import run as run_module
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run import run
from dipvid_jax.storage.locks import sole_writer
from tests.support import media_files, untrained

FRAMES = media_files.moving_frames(6, 24, 32)


@pytest.fixture
def config(tmp_path):
  mask = np.zeros(FRAMES.shape[1:3], np.uint8)
  mask[8:16, 10:20] = 255
  return load_config(
    "vid",
    video=str(media_files.encode(tmp_path / "clip.mkv", FRAMES)),
    mask=str(media_files.write_png(tmp_path / "mask.png", mask)),
    output=str(tmp_path / "out"),
    size=(24, 32),
    levels=1,
  )


def state_of(folder):
  """Every file below a folder, with its time of change."""
  files = (path for path in folder.rglob("*") if path.is_file())
  return {path: path.stat().st_mtime_ns for path in files}


def test_a_run_that_decides_itself_begins_continues_and_ends(
  config, tmp_path, monkeypatch
):
  seen = untrained.instead_of_training(monkeypatch)
  output = tmp_path / "out"
  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(run_module, "finish", interrupt)
    run(config, resume=None)
  assert len(seen) == 1 and not (output / "inpainted.mp4").exists()
  begun = (output / "config.json").stat().st_ino
  assert run(config, resume=None) == output
  assert (output / "inpainted.mp4").exists()
  assert (output / "config.json").stat().st_ino == begun  # continued
  trained = len(seen)
  monkeypatch.setattr(run_module, "plan_run", interrupt)  # the input is not even read
  with sole_writer(output):  # nor is the folder locked
    before = state_of(output)
    assert run(config, resume=None) == output
  assert state_of(output) == before and len(seen) == trained


def interrupt(*_, **__):
  raise KeyboardInterrupt


def test_a_run_that_another_has_finished_meanwhile_does_nothing(
  config, tmp_path, monkeypatch
):
  seen = untrained.instead_of_training(monkeypatch)
  read, output = run_module.plan_run, tmp_path / "out"

  def slow_read(config):
    plan = read(config)
    with monkeypatch.context() as patch:
      patch.setattr(run_module, "plan_run", read)
      run(config, resume=None)
    slow_read.left = state_of(output)
    return plan

  monkeypatch.setattr(run_module, "plan_run", slow_read)
  run(config, resume=None)
  after = state_of(output)
  for left in (after, slow_read.left):
    left.pop(output / ".lock")
  assert len(seen) == 1 and after == slow_read.left


def test_a_folder_of_another_run_is_refused_by_one_that_decides_itself(
  config, tmp_path, monkeypatch
):
  untrained.instead_of_training(monkeypatch)
  run(config)
  with pytest.raises(InputError, match=r"differs from this config in seed \("):
    run(config.replace(seed=1), resume=None)
  with pytest.raises(InputError, match="holds another run"):
    run(config)
  run(config.replace(seed=1), resume=None, overwrite=True)
  run(config.replace(seed=1), resume=None)
  shutil.rmtree(tmp_path / "out")
  (tmp_path / "out").mkdir()
  (tmp_path / "out/config.json").write_text("{}")
  with pytest.raises(InputError, match=r"config\.json, which no run wrote"):
    run(config, resume=None)


@pytest.mark.parametrize("resume", [None, True, False])
def test_a_folder_that_is_held_can_be_told_from_a_bad_one(config, tmp_path, resume):
  (tmp_path / "out").mkdir()
  with (
    sole_writer(tmp_path / "out"),
    pytest.raises(BusyError, match="is writing there"),
  ):
    run(config, resume=resume)


@pytest.mark.parametrize(
  "at", ["append_metrics", "append_round", "write_frames", "write_inpainted"]
)
def test_without_locks_the_older_run_stops_and_the_newer_finishes_whole(
  config, tmp_path, monkeypatch, at
):
  """Each of the two would else write into the other's files."""

  def flock(*_):
    raise OSError(errno.ENOLCK, "no locks here")

  monkeypatch.setattr(fcntl, "flock", flock)
  untrained.instead_of_training(monkeypatch)
  folder, left = RunFolder(tmp_path / "out"), {}
  calls = {"append_metrics": [{}], "append_round": [{}]}
  late = "write_frames" if at in calls else at
  real = getattr(RunFolder, late)

  def second_run_first(self, *args, **kwargs):
    if not left:
      left[self.path] = {}
      run(config, resume=None)
      left.update(state_of(self.path))
      if at in calls:
        return getattr(self, at)(*calls[at])
    return real(self, *args, **kwargs)

  monkeypatch.setattr(RunFolder, late, second_run_first)
  with pytest.raises(InputError, match="has taken over this folder") as error:
    run(config)
  assert "\n" not in str(error.value)
  left.pop(folder.path)
  assert state_of(folder.path) == left
  assert folder.is_finished(config.to_dict())
