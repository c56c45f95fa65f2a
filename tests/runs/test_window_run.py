"""Windows of a clip in runs of their own, joined: as if one run had done them all."""

import errno
import fcntl
import json
import pathlib
import shutil

import numpy as np
import pytest

from dipvid_jax.errors import BusyError, InputError
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs import (
  adoption,
  clip_training,
  plan,
  window_folder,
  window_run,
  window_training,
)
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.runs.run import run
from dipvid_jax.runs.standing import advance, read_progress
from dipvid_jax.runs.window_run import open_windows, run_window
from dipvid_jax.storage import locks, written
from dipvid_jax.storage.locks import sole_writer
from dipvid_jax.storage.rows import read_rows
from tests.support import media_files, untrained
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.run_results import assert_equal_runs, frames_of

COUNT, SIZE = 14, (32, 64)
FRAMES = media_files.moving_frames(COUNT, *SIZE)


@pytest.fixture(scope="module", autouse=True)
def one_program():
  """Lets all runs share the compiled functions of the first: they differ in nothing."""
  build, programs = plan.build_program, []

  def build_once(frame_count, *, config):
    like = programs[0] if frame_count == 6 and programs else None
    program = build(frame_count, config=config, like=like)
    programs.extend([program] if frame_count == 6 else [])
    return program

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(plan, "build_program", build_once)
    yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
  folder = tmp_path_factory.mktemp("clip")
  mask = np.zeros(SIZE, np.uint8)
  mask[8:16, 10:20] = 255
  media_files.encode(folder / "clip.mkv", FRAMES)
  media_files.write_png(folder / "mask.png", mask)
  return folder


def make_config(clip, output, **changes):
  """Three windows: 0-5, 4-9, 8-13; pixels are carried in frames of half the size."""
  values = {
    **{"video": str(clip / "clip.mkv"), "mask": str(clip / "mask.png")},
    **{"output": str(output), "size": (16, 32), "carry_side": 16, "levels": 1},
    **{"rounds": 2, "batches_per_round": 4, "batches_per_call": 2},
    **{"least_uncarried": 0.0, "window": 6, "overlap": 2},
  }
  return load_config("fast", **{**values, **changes})


@pytest.fixture(scope="module")
def sequential(clip, tmp_path_factory):
  """One run of the whole clip."""
  output = tmp_path_factory.mktemp("sequential") / "out"
  run(make_config(clip, output))
  return output


@pytest.fixture(scope="module")
def apart(clip, sequential, tmp_path_factory):
  """All windows run alone, the last one first, and not yet joined."""
  output = tmp_path_factory.mktemp("apart") / "out"
  config = make_config(clip, output)
  assert open_windows(config) == [0, 1, 2]
  for number in (2, 0, 1):
    run_window(config, number)
  assert open_windows(config) == []
  return output


@pytest.fixture(scope="module")
def joined(clip, apart, tmp_path_factory):
  """The same, joined."""
  output = tmp_path_factory.mktemp("joined") / "out"
  shutil.copytree(apart, output)
  run(make_config(clip, output), resume=None)
  return output


@pytest.fixture
def joinable(apart, tmp_path):
  """A copy of that, to be joined."""
  return pathlib.Path(shutil.copytree(apart, tmp_path / "out"))


def rounds_of(output):
  return [{**row, "seconds": None} for row in read_rows(output / "rounds.jsonl")]


def files_of(output):
  """The names of all files of a run; which states are kept depends on the time."""
  names = (path.relative_to(output) for path in output.rglob("*") if path.is_file())
  return {
    str(name if name.parts[0] != "checkpoints" else pathlib.Path(*name.parts[:2]))
    for name in names
  }


def assert_is_the_sequential_run(output, sequential):
  assert_equal_runs(output, sequential)
  assert rounds_of(output) == rounds_of(sequential)
  assert files_of(output) == files_of(sequential)
  assert not (output / "windows").exists()
  for name in files_of(sequential):
    if name.endswith((".npy", ".png", ".npz", "made_from.json")):
      assert (output / name).read_bytes() == (sequential / name).read_bytes(), name
  for name in ("inpainted.mp4", "full.mp4"):
    assert len(read_video(output / name).frames) == COUNT
  assert_lists_its_files(output)


def assert_lists_its_files(output):
  """Else `--overwrite` would leave some of them."""
  listed = written.WrittenFiles(output)
  listed.read()
  found = {path for path in output.rglob("*") if path.is_file()}
  unlisted = {path.name for path in found - {*listed.files()}}
  assert unlisted == {".lock", "written.txt"}


def test_windows_that_ran_alone_are_joined_to_the_same_result(
  clip, sequential, joined, monkeypatch
):
  assert_is_the_sequential_run(joined, sequential)
  facts = json.loads((joined / "report/facts.json").read_text())
  assert facts["finished"] and facts["seconds"]["training"] > 0
  before = contents(joined)
  monkeypatch.setattr(window_run, "plan_run", fail)
  assert open_windows(make_config(clip, joined)) == []
  assert contents(joined) == before


def contents(output):
  """The bytes of all files, but for those that tell the time or this very run.

  Of videos the names: x264 makes the same bytes of the same frames most times only.
  """
  told = (".lock", "written.txt", "facts.json", "report.html")
  files = (path for path in output.rglob("*") if path.is_file())
  return {
    path.relative_to(output): b"" if path.suffix == ".mp4" else path.read_bytes()
    for path in files
    if path.name not in told
  }


def assert_same_contents(output, other):
  found, expected = contents(output), contents(other)
  assert found.keys() == expected.keys()
  assert not [name for name in found if found[name] != expected[name]]


def fail(*_, **__):
  raise AssertionError


class Killed(BaseException):
  """Nothing handles it."""


def kill_at(patch, owner, name, number):
  """Ends a run before the number-th call of a function, from 0."""
  step, calls = getattr(owner, name), []

  def take(*args, **kwargs):
    calls.append(name)
    if len(calls) > number:
      raise Killed
    return step(*args, **kwargs)

  patch.setattr(owner, name, take)


@pytest.mark.parametrize(
  ("owner", "name", "number"),
  [
    (RunFolder, "write_frames", 0),
    (clip_training, "adopt", 1),
    (adoption, "replace_rows", 1),  # between metrics and rounds
    (shutil, "move", 4),  # between two checkpoints
    (shutil, "move", 8),  # between two arrays of the flow
    (shutil, "move", 10),  # before the file that tells whole flow apart
    (RunFolder, "save_tail", 0),
    (RunFolder, "discard", 0),
    (pathlib.Path, "unlink", 4),  # some of the window's files are gone
    (locks.Hold, "remove_file", 1),
    (RunFolder, "write_full", 0),
  ],
)
def test_a_join_that_is_killed_anywhere_is_completed(
  clip, joined, joinable, monkeypatch, owner, name, number
):
  monkeypatch.setattr(window_training, "inpaint_video", fail)
  config = make_config(clip, joinable)
  with monkeypatch.context() as patch, pytest.raises(Killed):
    kill_at(patch, owner, name, number)
    run(config, resume=None)
  run(config, resume=None)
  assert_same_contents(joinable, joined)
  assert_lists_its_files(joinable)


def test_runs_that_are_killed_are_continued_where_they_were(
  clip, sequential, tmp_path, monkeypatch, capsys
):
  """One of the clip, in its second window; then one of the third window alone."""
  output, part = tmp_path / "out", tmp_path / "out/windows/002"
  config = make_config(clip, output, checkpoint_minutes=0.0)
  with monkeypatch.context() as patch, pytest.raises(Killed):
    kill_at(patch, RunFolder, "append_metrics", 6)
    run(config)
  assert advance(output) == (False, 1, 9 + 5)  # of 8 and 4 updates
  assert open_windows(config) == [2]  # the second one stays with the run of the clip
  with monkeypatch.context() as patch, pytest.raises(Killed):
    kill_at(patch, RunFolder, "append_metrics", 3)
    run_window(config, 2)
  assert advance(output) == (False, 1, 9 + 5 + 7)
  assert read_progress(part)[:5] == ("training", 3, 3, 6, 8)
  assert open_windows(config) == [2]
  capsys.readouterr()
  run_window(config, 2)
  assert "window 3/3: resumed after 6 updates" in capsys.readouterr().out
  assert advance(output) == (False, 2, 9 + 5 + 9)
  assert read_progress(part)[:5] == ("done", 3, 3, 8, 8)
  assert open_windows(config) == []
  run(config, resume=None)
  assert "window 2/3: resumed after 4 updates" in capsys.readouterr().out
  assert_is_the_sequential_run(output, sequential)
  assert advance(output) == (True, 3, 27)
  assert read_progress(output)[:5] == ("done", 3, 3, 8, 8)


def test_a_run_of_the_clip_completes_the_run_of_a_window_first(
  clip, joined, joinable, capsys
):
  """Where the arrays are damaged as well, the window's last state has them."""
  content = bytearray((joinable / "windows/002/window.npz").read_bytes())
  content[len(content) // 2] ^= 1
  (joinable / "windows/002/window.npz").write_bytes(content)
  (joinable / "windows/000/window.npz").unlink()
  config = make_config(clip, joinable)
  assert open_windows(config) == [0]
  capsys.readouterr()
  run(config, resume=True)
  said = capsys.readouterr().out
  assert "window 1/3: resumed after 8 updates" in said
  assert "window 3/3: resumed after 8 updates" in said
  assert_same_contents(joinable, joined)


def test_a_window_that_is_done_or_joined_is_left_as_it_is(clip, joinable, monkeypatch):
  seen = untrained.instead_of_training(monkeypatch)
  config = make_config(clip, joinable)
  with sole_writer(joinable / "windows/001"), monkeypatch.context() as patch:
    patch.setattr(window_run, "plan_run", fail)
    run_window(config, 1)
  run(config, resume=None)
  run_window(config, 1)
  assert not seen and not (joinable / "windows").exists()


def test_runs_that_are_at_work_are_not_disturbed(clip, joinable, monkeypatch):
  untrained.instead_of_training(monkeypatch)
  config, busy = make_config(clip, joinable), pytest.raises(BusyError)
  (joinable / "windows/001/window.npz").unlink()
  before = files_of(joinable)
  with sole_writer(joinable / "windows/001"):
    for attempt in (
      lambda: run_window(config, 1),
      lambda: run(config, resume=None),
      lambda: run(config, overwrite=True),
    ):
      with busy as caught:
        attempt()
      assert str(joinable / "windows/001") in str(caught.value)
  with sole_writer(joinable):
    for attempt in (lambda: run_window(config, 1), lambda: open_windows(config)):
      with busy as caught:
        attempt()
  assert files_of(joinable) == before


def test_overwriting_removes_the_runs_of_windows_and_nothing_else(
  clip, joinable, monkeypatch, capsys
):
  untrained.instead_of_training(monkeypatch)
  other = make_config(clip, joinable, seed=1)
  with pytest.raises(InputError, match=r"config\.json differs from .* in seed"):
    open_windows(other)
  (joinable / "windows/001/notes.txt").write_text("mine")
  (joinable / "windows/001/mine").mkdir()
  (joinable / "windows/001/mine/00000.png").write_text("mine")
  with pytest.raises(InputError, match=r"which removes .*windows/ \(\d+ files\)"):
    run(other)
  assert open_windows(other, overwrite=True) == [0, 1, 2]
  assert "windows/ (" in capsys.readouterr().out
  left = {f"windows/001/{name}" for name in ("notes.txt", "mine/00000.png")}
  flow = {name for name in files_of(joinable) if name.startswith("flow/")}
  kept = {"config.json", "written.txt", ".lock"}
  assert files_of(joinable) == left | kept | flow
  run_window(other, 1)
  run(other, resume=None)
  assert {n for n in files_of(joinable) if n.startswith("windows/")} == left


def test_a_users_files_in_a_windows_folder_stay_after_the_join(clip, joined, joinable):
  mine = [joinable / "windows/000/notes.txt", joinable / "windows/mine/00000.png"]
  for path in mine:
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
  run(make_config(clip, joinable), resume=None)
  left = [path for path in (joinable / "windows").rglob("*") if path.is_file()]
  assert sorted(left) == mine
  shutil.rmtree(joinable / "windows")
  assert_same_contents(joinable, joined)


def test_a_users_file_that_a_window_would_write_over_is_an_error(clip, tmp_path):
  config = make_config(clip, tmp_path / "out")
  open_windows(config)
  mine = tmp_path / "out/windows/000/window.npz"
  mine.parent.mkdir(parents=True)
  mine.write_text("mine")
  with pytest.raises(InputError, match=r"window\.npz would be written over"):
    run_window(config, 0)
  assert mine.read_text() == "mine"


def test_a_window_of_another_config_is_refused_before_anything_is_joined(
  clip, joinable, monkeypatch
):
  seen = untrained.instead_of_training(monkeypatch)
  path = joinable / "windows/002/config.json"
  path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
  config = make_config(clip, joinable)
  for attempt in (
    lambda: open_windows(config),
    lambda: run_window(config, 2),
    lambda: run(config, resume=None),
  ):
    with pytest.raises(InputError, match=r"windows/002/config\.json differs") as error:
      attempt()
    assert "seed (1 there, 0 here)" in str(error.value)
  assert not seen and not (joinable / "frames").exists()


def test_windows_that_cannot_be_run_alone_are_one_line(clip, tmp_path):
  output = tmp_path / "out"
  config = make_config(clip, output)
  with pytest.raises(InputError, match="holds no run of which window 1 could be"):
    run_window(config, 1)
  assert open_windows(make_config(clip, output, window=None)) == []
  assert not output.exists()
  open_windows(config)
  with pytest.raises(InputError, match="window 3 cannot be run alone, only 0, 1, 2"):
    run_window(config, 3)
  with pytest.raises(InputError, match=r"differs from this config in seed"):
    run_window(make_config(clip, output, seed=1), 1)
  assert not (output / "windows").exists()


def test_windows_without_a_hole_are_not_named(clip, tmp_path, monkeypatch):
  (tmp_path / "masks").mkdir()
  for number in range(COUNT):
    mask = np.zeros(SIZE, np.uint8)
    mask[8:16, 10:20] = 255 if number < 4 else 0
    media_files.write_png(tmp_path / f"masks/{number}.png", mask)
  seen = untrained.instead_of_training(monkeypatch)
  masks = {"mask": str(tmp_path / "masks")}
  config = make_config(clip, tmp_path / "out", **masks)
  assert open_windows(config) == [0]
  with pytest.raises(InputError, match="window 1 cannot be run alone"):
    run_window(config, 1)
  run_window(config, 0)
  run(config, resume=None)
  run(make_config(clip, tmp_path / "other", **masks))
  assert len(seen) == 2
  assert frames_of(tmp_path / "out") == frames_of(tmp_path / "other")


def test_each_window_alone_has_its_part_of_the_time(clip, tmp_path, monkeypatch):
  budgets = []

  def train(frames, hole_masks, *, stopping, **_):
    budgets.append(stopping.minutes)
    return Inpainted(frames, frames, None, hole_masks)

  monkeypatch.setattr(window_training, "inpaint_video", train)
  config = make_config(clip, tmp_path / "out", max_minutes=6.0)
  for number in open_windows(config):
    run_window(config, number)
  run(make_config(clip, tmp_path / "other", max_minutes=6.0))
  assert budgets == [2, 2, 2, 2, 4, 6]


def test_a_run_writes_to_the_folder_of_its_windows(tmp_path):
  (tmp_path / "out/windows").mkdir(parents=True)
  with pytest.raises(InputError, match=r"would write to .*windows, where --video"):
    check_inputs(tmp_path / "out", {"--video": tmp_path / "out/windows"})


def test_a_window_whose_folder_was_taken_over_stops(clip, tmp_path, monkeypatch):
  """The file system has no locks; the second attempt has the result."""

  def flock(*_):
    raise OSError(errno.ENOLCK, "no locks here")

  monkeypatch.setattr(fcntl, "flock", flock)
  untrained.instead_of_training(monkeypatch)
  config, attempts = make_config(clip, tmp_path / "out"), []
  save = window_folder.WindowFolder.save

  def overtaken(self, arrays):
    if not attempts:
      attempts.append(self.path)
      run_window(config, 1)
    save(self, arrays)

  monkeypatch.setattr(window_folder.WindowFolder, "save", overtaken)
  open_windows(config)
  with pytest.raises(InputError, match=r"windows/001: another run .* has taken over"):
    run_window(config, 1)
  assert open_windows(config) == [0, 2]
