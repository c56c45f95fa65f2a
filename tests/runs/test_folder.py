"""The output folder: whose run it holds, what is replaced and what is kept."""

import fractions
import json
import os
import pathlib

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.runs.config_file import INPUT_FINGERPRINT
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.types import Video

CONFIG = {"video": "a.mp4", "output": "out", "size": (96, 192), "seed": 0, "levels": 5}


@pytest.fixture
def folder(tmp_path):
  return RunFolder(tmp_path / "deep" / "out")


STITCHED = np.full((3, 32, 48, 3), 60, np.uint8)
FLOW = "stride_1_forward.npy"


@pytest.fixture
def begun(folder):
  """A folder in which a run began and wrote everything."""
  folder.create(CONFIG, resume=False)
  folder.write_frames(STITCHED, STITCHED, first=0)
  for name in ("inpainted.mp4", "full.mp4", "preview.png"):
    folder.written.announce(folder.path / name)
    (folder.path / name).write_text("old")
  for held in (folder.checkpoints / "40", folder.flow):
    held.mkdir(parents=True)
  folder.written.announce_folder(folder.checkpoints / "40")
  (folder.checkpoints / "40" / "state").write_text("old")
  folder.written.seal_folder(folder.checkpoints / "40")
  folder.written.announce(folder.flow / FLOW)
  (folder.flow / FLOW).write_text("old")
  folder.append_metrics({"update": 100})
  return folder


def names(folder):
  """What a folder holds, but the list of it that every run keeps."""
  return sorted(p.name for p in folder.path.iterdir() if p.name != "written.txt")


def contents(folder):
  """Every file below a folder with its bytes, but the lock."""
  files = (path for path in folder.rglob("*") if path.is_file())
  return {path: path.read_bytes() for path in files if path.name != ".lock"}


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_is_free(folder, exists):
  if exists:
    folder.path.mkdir(parents=True)
  folder.check(overwrite=False, resume=False)
  assert folder.path.exists() == exists


def test_a_folder_with_other_files_is_free_and_they_stay(folder):
  folder.path.mkdir(parents=True)
  (folder.path / "notes.txt").write_text("mine")
  folder.check(overwrite=False, resume=False)
  folder.create(CONFIG, resume=False)
  assert names(folder) == ["config.json", "notes.txt"]


RESULTS = (
  *("config.json", "inpainted.mp4", "full.mp4", "preview.png", "metrics.jsonl"),
  *("rounds.jsonl", "report.html"),
)


FOLDERS = ("frames", "full", "report", "checkpoints", "flow")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("held", [*RESULTS, "written.txt", *FOLDERS])
def test_what_no_run_wrote_is_never_touched(folder, held, overwrite):
  folder.path.mkdir(parents=True)
  if held in FOLDERS:
    (folder.path / held).mkdir()
    (folder.path / held / "00000.png").write_text("mine")
  else:
    (folder.path / held).write_text("mine")
  with pytest.raises(InputError, match="which no run wrote") as error:
    folder.check(overwrite=overwrite, resume=False)
  line = str(error.value)
  assert held in line and "--overwrite" not in line and "\n" not in line


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_of_a_version_without_a_list_is_left_to_the_user(begun, overwrite):
  (begun.path / "written.txt").unlink()
  before = contents(begun.path)
  with pytest.raises(InputError, match="kept no list of its files") as error:
    begun.check(overwrite=overwrite, resume=False)
  assert "frames" in str(error.value) and "--resume" in str(error.value)
  begun.check(overwrite=False, resume=True)
  begun.create(CONFIG, resume=True)
  begun.write_frames(STITCHED, STITCHED, first=0)
  assert contents(begun.path).keys() == before.keys()  # a list begun now would lie


def test_a_list_that_is_not_a_runs_is_not_written_to(begun):
  (begun.path / "written.txt").write_text("mine\n-  frames/00000.png\n")
  begun.check(overwrite=False, resume=True)
  begun.append_metrics({"update": 200})
  assert (begun.path / "written.txt").read_text() == "mine\n-  frames/00000.png\n"
  with pytest.raises(InputError, match="kept no list"):
    begun.check(overwrite=True, resume=False)


def test_another_run_is_refused_and_the_line_says_what_would_go(begun):
  with pytest.raises(InputError, match="holds another run") as error:
    begun.check(overwrite=False, resume=False)
  line = str(error.value)
  for said in ("--resume", "--overwrite", "frames/ (3 files)", "config.json"):
    assert said in line
  assert "flow" not in line and "\n" not in line
  begun.check(overwrite=True, resume=False)


def test_what_users_put_beside_a_runs_files_stays(begun, capsys):
  mine = [
    begun.path / name
    for name in (
      *("notes.txt", "frames/mine.png", "frames/sub/00000.png", "flow/a.flo"),
      *("checkpoints/best/state", "report/notes.txt", "masks/00000.png"),
      *(".data.partial", ".flow-mine/flow", ".flow-12345678/mine"),
    )
  ]
  for path in mine:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
  with begun.claim(overwrite=True, resume=False):
    begun.create({**CONFIG, "seed": 1}, resume=False)
  said = capsys.readouterr().out
  assert said.startswith("--overwrite: removes config.json, checkpoints/ (1 file), ")
  assert "frames/ (3 files)" in said and said.count("\n") == 1
  left = {begun.path / name for name in ("config.json", "written.txt", f"flow/{FLOW}")}
  assert contents(begun.path).keys() == left | set(mine)


@pytest.mark.parametrize(
  "name",
  ["frames/00003.png", "full/00009.png", "report/after.mp4", "flow/made_from.json"],
)
@pytest.mark.parametrize("way", ["overwrite", "resume"])
def test_a_users_file_where_a_run_writes_is_an_error(begun, name, way):
  path = begun.path / name
  path.parent.mkdir(exist_ok=True)
  path.write_text("mine")
  before = contents(begun.path)
  with (
    pytest.raises(InputError, match=name),
    begun.claim(**{"overwrite": False, "resume": False, way: True}),
  ):
    pass
  assert contents(begun.path) == before


def test_a_frame_that_was_retouched_is_the_users(begun):
  (begun.frames / "00001.png").write_text("retouched")
  for way in (
    {"overwrite": True, "resume": False},
    {"overwrite": False, "resume": True},
  ):
    with pytest.raises(InputError, match=r"frames/00001\.png would be written over"):
      begun.check(**way)


def test_pictures_behind_a_link_are_not_removed(begun, tmp_path):
  begun.frames.rename(tmp_path / "elsewhere")
  begun.frames.symlink_to(tmp_path / "elsewhere")
  with pytest.raises(InputError, match=r"frames/00000\.png"):
    begun.check(overwrite=True, resume=False)
  begun.check(overwrite=False, resume=True)  # a larger disk may hold them


def test_an_interrupted_overwrite_is_never_half_old(begun, monkeypatch):
  """Whatever was removed last: no run is there to be resumed, and what is left goes."""
  real, left = os.unlink, [3]

  def unlink(path, *args, **kwargs):
    left[0] -= 1
    if left[0] < 0:
      raise KeyboardInterrupt
    real(path, *args, **kwargs)

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(os, "unlink", unlink)
    begun.create({**CONFIG, "seed": 1}, resume=False)
  with pytest.raises(InputError, match="no run to resume"):
    begun.check(overwrite=False, resume=True)
  with pytest.raises(InputError, match="holds another run") as error:
    begun.check(overwrite=False, resume=False)
  assert "--resume" not in str(error.value)
  begun.check(overwrite=True, resume=False)
  begun.create(CONFIG, resume=False)
  assert names(begun) == ["config.json", "flow"]


def test_a_run_killed_while_it_wrote_leaves_nothing_that_is_not_its_own(folder):
  folder.create(CONFIG, resume=False)
  (folder.path / "frames").mkdir()
  folder.written.announce(folder.frames / "00000.png")
  (folder.frames / "00000.png").write_text("whole, and its size not yet listed")
  folder.written.announce_folder(folder.checkpoints / "40")
  (folder.checkpoints / "40" / "d").mkdir(parents=True)
  (folder.checkpoints / "40" / "d" / "state").write_text("half")
  with (folder.path / "written.txt").open("a") as file:
    file.write("12  frames/000")  # cut short
  folder.check(overwrite=False, resume=True)
  folder.written.announce(folder.path / "preview.png")
  (folder.path / "preview.png").write_text("new")
  folder.check(overwrite=True, resume=False)
  folder.create(CONFIG, resume=False)
  assert names(folder) == ["config.json"]


@pytest.mark.parametrize("flag", ["--video", "--mask", "--config"])
@pytest.mark.parametrize(
  "name", ["frames", "frames/00000.png", "inpainted.mp4", "flow/a/weights", "report"]
)
@pytest.mark.parametrize("given", ["absolute", "relative", "link", "folder of links"])
def test_an_input_where_a_run_would_write_is_an_error(
  tmp_path, monkeypatch, flag, name, given
):
  out, path = tmp_path / "out", tmp_path / "out" / name
  path.parent.mkdir(parents=True)
  path.write_text("mine")
  monkeypatch.chdir(tmp_path)
  if given == "relative":
    path = pathlib.Path("x") / ".." / "out" / name
    (tmp_path / "x").mkdir()
  elif given == "link":
    (tmp_path / "link").symlink_to(path)
    path = pathlib.Path("link")
  elif given == "folder of links":
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "0.png").symlink_to(path)
    path = tmp_path / "links"
  with pytest.raises(InputError, match=f"{out}: the run would write to .*{flag}"):
    check_inputs(out, {flag: path})
  check_inputs(tmp_path / "other", {flag: path})


def test_inputs_beside_what_a_run_writes_are_allowed(tmp_path):
  for name in ("clip.mp4", "inputs/00000.png", "masks/frames/00000.png"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    check_inputs(tmp_path, {"--video": path})
  check_inputs(tmp_path, {"--video": tmp_path / "gone", "--mask": pathlib.Path("a\0b")})
  with pytest.raises(InputError, match="is the folder of --mask"):
    check_inputs(tmp_path / "inputs", {"--mask": tmp_path / "inputs"})


def test_a_file_is_no_folder(folder):
  folder.path.parent.mkdir()
  folder.path.write_text("")
  for overwrite in (False, True):
    with pytest.raises(InputError, match="is a file; name a folder"):
      folder.check(overwrite=overwrite, resume=False)


def test_there_must_be_a_run_to_resume(folder, begun):
  begun.check(overwrite=False, resume=True)
  (begun.path / "config.json").unlink()
  with pytest.raises(InputError, match="no run to resume"):
    begun.check(overwrite=False, resume=True)


def test_a_run_begins_with_its_config(folder):
  folder.create(CONFIG, resume=False)
  written = json.loads((folder.path / "config.json").read_text())
  assert written == {**CONFIG, "size": [96, 192]}
  assert names(folder) == ["config.json"]


def test_how_often_it_is_shown_may_change_on_resuming(begun):
  begun.create({**CONFIG, "preview_every": 5}, resume=True)


def test_a_key_that_is_newer_than_the_run_counts_as_off(begun):
  newer = {"stop_patience": None, "holdout_fraction": 0.0}
  begun.create({**CONFIG, **newer}, resume=True)
  with pytest.raises(InputError, match=r"holdout_fraction \(None there, 0.02 here\)"):
    begun.create({**CONFIG, "holdout_fraction": 0.02}, resume=True)


def test_a_key_that_is_gone_counts_as_off(folder):
  gone = {"networks": 1, "coarse_updates": 0, "image_weight_end": None}
  folder.create({**CONFIG, **gone}, resume=False)
  folder.create(CONFIG, resume=True)
  folder.create({**CONFIG, **gone, "networks": 4}, resume=False)
  with pytest.raises(InputError, match=r"networks \(4 there, None here\)"):
    folder.create(CONFIG, resume=True)


def test_overwriting_clears_everything_but_the_flow(begun):
  begun.create({**CONFIG, "seed": 1}, resume=False)
  assert names(begun) == ["config.json", "flow"]
  assert (begun.flow / FLOW).read_text() == "old"
  assert json.loads((begun.path / "config.json").read_text())["seed"] == 1


def test_resuming_keeps_everything(begun):
  before = names(begun)
  begun.create({**CONFIG, "video": "moved.mp4", "output": "elsewhere"}, resume=True)
  assert names(begun) == before
  assert (begun.path / "inpainted.mp4").read_text() == "old"


@pytest.mark.parametrize(
  ("change", "said"),
  [
    ({"seed": 1}, r"seed \(0 there, 1 here\)"),
    ({"size": (192, 384)}, "size"),
    ({"new_key": 3}, r"new_key \(None there, 3 here\)"),
  ],
)
def test_resuming_with_another_config_is_refused_and_says_where(begun, change, said):
  with pytest.raises(InputError, match=said) as error:
    begun.create({**CONFIG, **change}, resume=True)
  assert "\n" not in str(error.value) and "levels" not in str(error.value)


def test_resuming_with_another_clip_is_refused(folder):
  folder.create({**CONFIG, "input_sha256": "one"}, resume=False)
  folder.create({**CONFIG, "input_sha256": "one", "video": "moved"}, resume=True)
  with pytest.raises(InputError, match="other frames or another mask"):
    folder.create({**CONFIG, "input_sha256": "other"}, resume=True)
  with pytest.raises(InputError, match=r"differs from this config in seed \(") as error:
    folder.create({**CONFIG, "input_sha256": "other", "seed": 1}, resume=True)
  assert "sha256" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"3"])
def test_a_config_that_cannot_be_read_says_what_to_do(begun, content):
  (begun.path / "config.json").write_bytes(content)
  with pytest.raises(InputError, match=r"config\.json: cannot be read.*--overwrite"):
    begun.create(CONFIG, resume=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_made_is_named(tmp_path):
  tmp_path.chmod(0o500)
  with pytest.raises(InputError, match="out: cannot be written"):
    RunFolder(tmp_path / "out").create(CONFIG, resume=False)


def test_a_folder_below_a_file_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(InputError, match="out: cannot be written"):
    RunFolder(tmp_path / "file" / "out").create(CONFIG, resume=False)


def updates_in(folder):
  lines = folder.metrics.read_text().splitlines()
  return [json.loads(line)["update"] for line in lines]


@pytest.fixture
def with_metrics(folder):
  folder.create(CONFIG, resume=False)
  for update in (100, 200, 300):
    folder.append_metrics({"window": 1, "update": update, "loss": 0.5})
  return folder


@pytest.mark.parametrize(
  ("updates", "kept"),
  [(0, []), (199, [100]), (200, [100, 200]), (999, [100, 200, 300])],
)
def test_metrics_of_updates_to_be_repeated_are_dropped(with_metrics, updates, kept):
  with_metrics.keep_metrics(window=1, updates=updates)
  assert updates_in(with_metrics) == kept
  assert names(with_metrics) == ["config.json", "metrics.jsonl"]


def test_metrics_of_other_windows_stay(with_metrics):
  for update in (100, 200):
    with_metrics.append_metrics({"window": 2, "update": update})
  with_metrics.append_metrics({"window": 3, "update": 100})
  with_metrics.keep_metrics(window=2, updates=100)
  assert updates_in(with_metrics) == [100, 200, 300, 100, 100]


# Within the last line, and before its line break.
@pytest.mark.parametrize("cut", [1, 5])
def test_a_line_that_was_cut_off_spoils_no_other(with_metrics, cut):
  content = with_metrics.metrics.read_bytes()
  with_metrics.metrics.write_bytes(content[:-cut])
  with_metrics.keep_metrics(window=1, updates=999)
  with_metrics.append_metrics({"window": 1, "update": 400})
  whole = [100, 200] if cut > 1 else [100, 200, 300]
  assert updates_in(with_metrics) == [*whole, 400]


def test_rounds_to_be_repeated_are_dropped_with_the_metrics(with_metrics):
  for update in (100, 300):
    with_metrics.append_round({"window": 1, "update": update})
  with_metrics.keep_metrics(window=1, updates=200)
  assert with_metrics.rounds.read_text() == '{"window": 1, "update": 100}\n'
  assert updates_in(with_metrics) == [100, 200]


def test_without_metrics_there_is_nothing_to_drop(folder):
  folder.create(CONFIG, resume=False)
  folder.keep_metrics(window=1, updates=100)
  assert names(folder) == ["config.json"]


def test_results_are_two_videos_and_their_frames(folder):
  folder.create(CONFIG, resume=False)
  stitched = np.full((3, 32, 48, 3), 60, np.uint8)
  video = Video(stitched, fractions.Fraction(25))
  folder.write_frames(stitched[:2], stitched[:2] + 100, first=0)
  assert folder.has_frames(0, 2) and not folder.has_frames(1, 3)
  folder.write_frames(stitched[2:], stitched[2:] + 100, first=2)
  assert folder.has_frames(0, 3)
  assert not folder.write_inpainted(video)
  folder.write_full(video)
  assert names(folder) == ["config.json", "frames", "full", "full.mp4", "inpainted.mp4"]
  for written, level in ((folder.frames, 60), (folder.full, 160)):
    assert sorted(path.name for path in written.iterdir()) == [
      f"{i:05}.png" for i in range(3)
    ]
    assert (read_video(written).frames == level).all()
  for name, level in (("inpainted.mp4", 60), ("full.mp4", 160)):
    video = read_video(folder.path / name)
    assert video.frames.shape == stitched.shape and video.frame_rate == 25
    assert np.abs(video.frames.astype(int) - level).max() <= 3
  still = read_video(folder.path / "frames").frames
  np.testing.assert_array_equal(still, stitched)


def test_what_a_killed_run_was_writing_is_removed_and_nothing_else(begun):
  (begun.path / "notes.partial").write_text("mine")
  before = {path for path in begun.path.rglob("*") if path.is_file()}
  scratch = begun.path / ".flow-1234abcd" / "flow"
  scratch.mkdir(parents=True)
  for path in (
    begun.path / ".inpainted.mp4.1.partial",
    begun.path / "frames" / ".00000.png.2.partial",
    scratch / "stride_1_forward.npy",
  ):
    path.write_text("half")
  with begun.claim(overwrite=False, resume=True):
    left = {path for path in begun.path.rglob("*") if path.is_file()}
  assert left == before | {begun.path / ".lock"}
  assert not scratch.exists()


def test_a_run_is_finished_when_its_last_file_is_there(folder):
  assert not folder.holds_run() and not folder.is_finished(CONFIG)
  folder.create({**CONFIG, INPUT_FINGERPRINT: "ab"}, resume=False)
  assert folder.holds_run() and not folder.is_finished(CONFIG)
  stitched = np.full((3, 32, 48, 3), 60, np.uint8)
  folder.write_frames(stitched, stitched, first=0)
  assert not folder.is_finished(CONFIG)
  folder.write_full(Video(stitched, fractions.Fraction(25)))
  assert not folder.is_finished(CONFIG)
  folder.write_inpainted(Video(stitched, fractions.Fraction(25)))
  assert folder.is_finished(CONFIG)
  folder.report.mkdir()
  (folder.report / "facts.json").write_text('{"finished": false}')
  assert not folder.is_finished(CONFIG)
  (folder.report / "facts.json").unlink()
  with pytest.raises(InputError, match="seed"):
    folder.is_finished({**CONFIG, "seed": 9})
