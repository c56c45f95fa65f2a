"""Runs in windows: what each sees, how they are joined, and going on in any of them."""

import itertools
import shutil

import cv2
import jax
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.runs import folder, window_training
from dipvid_jax.runs.window_training import window_seed
from tests.support import media_files, untrained
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.run_results import (
  assert_equal_runs,
  frames_of,
  metrics_of,
  states_of,
)

COUNT, SIZE = 14, (24, 32)
FRAMES = media_files.moving_frames(COUNT, *SIZE)
SMALL = (
  *("--config=vid.py", "--config.size=24,32", "--config.levels=1", "--config.rounds=2"),
  *(
    "--config.inner_steps=2",
    "--config.schedule=rounds",
    "--config.batches_per_round=1",
  ),
)
WINDOWS = ("--window=6", "--overlap=2")  # 0-5, 4-9, 8-13


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
  folder = tmp_path_factory.mktemp("clip")
  media_files.encode(folder / "clip.mkv", FRAMES)
  masks = np.zeros((COUNT, *SIZE), np.uint8)
  masks[:, 8:16, 10:20] = 255
  (folder / "masks").mkdir()
  for number, mask in enumerate(masks):
    media_files.write_png(folder / "masks" / f"{number}.png", mask)
  return folder


def run(clip, output, *extra, mask="masks"):
  files = ("--video", str(clip / "clip.mkv"), "--mask", str(clip / mask))
  return inpaint.main([*files, "--output", str(output), *SMALL, *extra])


@pytest.fixture(scope="module")
def finished(clip, tmp_path_factory):
  """A run in three windows that nothing interrupted."""
  output = tmp_path_factory.mktemp("finished") / "out"
  assert run(clip, output, *WINDOWS) == 0
  return output


def test_every_frame_is_written_and_the_input_outside_the_hole(clip, finished):
  result = read_video(finished / "frames").frames
  assert result.shape == FRAMES.shape
  np.testing.assert_array_equal(result[:, :8], FRAMES[:, :8])
  assert (result[:, 8:16, 10:20] != FRAMES[:, 8:16, 10:20]).mean() > 0.5
  assert len(read_video(finished / "inpainted.mp4").frames) == COUNT
  assert len(read_video(finished / "full.mp4").frames) == COUNT


def test_the_metrics_name_the_window_and_the_clips_frames(finished):
  rows = metrics_of(finished)
  assert [row["window"] for row in rows] == [1] * 4 + [2] * 4 + [3] * 4
  assert [row["update"] for row in rows] == [2, 4, 6, 8] * 3
  for row in rows:
    assert row["start"] - 4 * (row["window"] - 1) in (0, 1)


def test_each_window_has_its_own_branch_of_the_seed(finished):
  seeds = [window_seed(7, number) for number in range(50)]
  assert seeds[0] == 7 and len(set(seeds)) == 50
  assert seeds == [window_seed(7, number) for number in range(50)]
  kernels = [max(leaves, key=np.size) for leaves in states_of(finished)]
  for a, b in itertools.combinations(kernels, 2):
    assert (a != b).mean() > 0.9


def test_a_clip_that_fits_one_window_is_the_plain_run(clip, tmp_path):
  assert run(clip, tmp_path / "plain") == 0
  assert run(clip, tmp_path / "one", f"--window={COUNT}", "--overlap=2") == 0
  assert_equal_runs(tmp_path / "one", tmp_path / "plain")
  assert not list((tmp_path / "one/checkpoints").glob("window*"))


def interrupted_at(monkeypatch, window, update):
  """Ctrl-C after so many updates of a window."""
  append = folder.RunFolder.append_metrics

  def stop(self, row):
    if (row["window"], row["update"]) == (window, update):
      raise KeyboardInterrupt
    append(self, row)

  monkeypatch.setattr(folder.RunFolder, "append_metrics", stop)


@pytest.mark.parametrize(
  ("window", "update", "minutes", "resumed"),
  [
    (2, 6, 10, "window 2/3: resumed after 4 updates"),
    (3, 8, 0, "window 3/3: resumed after 6 updates"),
  ],
)
def test_an_interrupted_run_goes_on_in_its_window(
  clip, finished, tmp_path, capsys, window, update, minutes, resumed
):
  often = f"--config.checkpoint_minutes={minutes}"
  with pytest.MonkeyPatch.context() as patch:
    interrupted_at(patch, window, update)
    assert run(clip, tmp_path / "out", *WINDOWS, often) == 130
  capsys.readouterr()
  assert run(clip, tmp_path / "out", *WINDOWS, "--resume") == 0
  said = capsys.readouterr().out
  assert resumed in said and said.count("resumed") == 1
  assert_equal_runs(tmp_path / "out", finished)


def damage_tail(output):
  path = output / "checkpoints/window_001_tail.npz"
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def lose_a_frame(output):
  (output / "full/00005.png").unlink()


@pytest.mark.parametrize("damage", [damage_tail, lose_a_frame])
def test_what_is_damaged_is_made_again_from_the_checkpoint(
  clip, finished, tmp_path, capsys, damage
):
  shutil.copytree(finished, tmp_path / "out")
  damage(tmp_path / "out")
  capsys.readouterr()
  assert run(clip, tmp_path / "out", *WINDOWS, "--resume") == 0
  assert "window 2/3: resumed after 8 updates" in capsys.readouterr().out
  assert_equal_runs(tmp_path / "out", finished)


def test_a_finished_run_only_writes_its_videos_again(
  clip, finished, tmp_path, monkeypatch
):
  seen = untrained.instead_of_training(monkeypatch)
  before = frames_of(finished)
  (finished / "inpainted.mp4").unlink()
  assert run(clip, finished, *WINDOWS, "--resume") == 0
  assert not seen
  assert frames_of(finished) == before
  assert len(read_video(finished / "inpainted.mp4").frames) == COUNT


def test_windows_fade_into_each_other(clip, tmp_path, monkeypatch):
  """Each window's network makes one grey, a brighter one in each window."""
  levels = iter((50, 110, 170))

  def train(frames, hole_masks, **_):
    grey = np.full_like(frames, next(levels) / 255)
    return Inpainted(grey, np.where(hole_masks > 0, grey, frames), None, hole_masks)

  monkeypatch.setattr(window_training, "inpaint_video", train)
  assert run(clip, tmp_path / "out", *WINDOWS) == 0
  full = read_video(tmp_path / "out/full").frames
  assert (full == full[:, :1, :1, :1]).all()
  fades = ([50] * 4, [70, 90], [110] * 2, [130, 150], [170] * 4)
  np.testing.assert_array_equal(full[:, 0, 0, 0], np.concatenate(fades))
  filled = read_video(tmp_path / "out/frames").frames
  np.testing.assert_array_equal(filled[:, 12, 15], full[:, 12, 15])
  np.testing.assert_array_equal(filled[:, 2, 2], FRAMES[:, 2, 2])


def test_a_window_without_a_hole_is_not_trained(clip, tmp_path, monkeypatch):
  (tmp_path / "masks").mkdir()
  for number in range(COUNT):
    mask = cv2.imread(str(clip / f"masks/{number}.png"), cv2.IMREAD_GRAYSCALE)
    media_files.write_png(
      tmp_path / f"masks/{number}.png", mask if number < 4 else 0 * mask
    )
  seen = untrained.instead_of_training(monkeypatch)
  assert run(clip, tmp_path / "out", *WINDOWS, mask=tmp_path / "masks") == 0
  assert len(seen) == 1 and seen[0].hole_masks.any()
  np.testing.assert_array_equal(
    read_video(tmp_path / "out/frames").frames[4:], FRAMES[4:]
  )
  np.testing.assert_array_equal(
    read_video(tmp_path / "out/full").frames[6:], FRAMES[6:]
  )


@pytest.mark.parametrize(
  ("extra", "said"),
  [
    (("--window=4",), "--window 4: a batch of 5 at stride 1 needs 5 frames"),
    (("--window=8", "--overlap=5"), "--overlap 5: must be at most half of --window 8"),
    (("--window=0",), "config.window: must be 1 or more, got 0"),
    (("--overlap=-1",), "config.overlap: must be 0 or more, got -1"),
    (("--config.checkpoint_minutes=-1",), "config.checkpoint_minutes"),
  ],
)
def test_windows_that_cannot_be_are_one_line(clip, tmp_path, capsys, extra, said):
  assert run(clip, tmp_path / "out", *extra) == 2
  error = capsys.readouterr().err
  assert said in error and error.count("\n") == 1
  assert not (tmp_path / "out").exists()


def test_a_window_that_shows_nothing_is_refused_and_named(clip, tmp_path, capsys):
  (tmp_path / "masks").mkdir()
  for number in range(COUNT):
    mask = np.full(SIZE, 255 if 4 <= number < 10 else 0, np.uint8)
    media_files.write_png(tmp_path / f"masks/{number}.png", mask)
  assert run(clip, tmp_path / "out", *WINDOWS, mask=tmp_path / "masks") == 2
  assert "all frames from 4 to 9" in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_all_windows_run_one_compiled_program(clip, tmp_path, caplog):
  with jax.log_compiles():
    assert run(clip, tmp_path / "out", *WINDOWS) == 0
  compiled = [
    record.getMessage().split()[1]
    for record in caplog.records
    if record.getMessage().startswith("Compiling")
  ]
  for name in ("fit_visits", "render_window", "create_state"):
    assert compiled.count(f"jit({name})") == 1
