"""The report's videos and pictures: what they show, and how large they get."""

import fractions

import cv2
import numpy as np
import pytest

from dipvid_jax.media.video_writing import write_video
from dipvid_jax.report.parts import jpeg
from tests.support.report_run import (
  COUNT,
  SIZE,
  Run,
  finish,
  frames_of,
)


def test_the_videos_are_the_clips(tmp_path):
  finished = finish(tmp_path)
  before, after, full = map(frames_of, finished.page.all("video"))
  assert before.shape == after.shape == full.shape == (COUNT, *SIZE, 3)
  assert np.abs(before - np.float32(finished.frames)).mean() < 6
  assert np.abs(after - np.float32(255 - finished.frames)).mean() < 6
  # The network sees the central 48 x 48; the rest is grey.
  assert np.abs(full[:, :, 20:60] - np.float32(99)).mean() < 4
  assert np.abs(full[:, :, :14] - np.float32(128)).mean() < 4


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_working_frames_lie_in_their_place_in_the_input(tmp_path, fit):
  run = Run(tmp_path, fit=fit)
  run.begin()
  run.round(0)
  before, after, _ = map(frames_of, run.page.all("video"))
  shown = slice(None) if fit == "pad" else slice(20, 60)
  difference = np.abs(before[:, :, shown] - np.float32(after[:, :, shown])).mean()
  shifted = np.abs(before[:, :, shown] - np.float32(np.roll(after, 4, 2)[:, :, shown]))
  assert difference < 8 and difference < shifted.mean() / 2


def test_long_clips_are_shortened_and_the_page_says_so(tmp_path):
  run = Run(tmp_path, count=201)
  run.begin()
  assert "only every second frame is shown" in run.page.text
  assert len(frames_of(run.page.all("video")[0])) == 101


def test_large_clips_are_shown_smaller(tmp_path):
  run = Run(tmp_path, fit="pad")
  large = [cv2.resize(frame, (1200, 702)) for frame in run.frames[:2]]
  run.frames = np.stack(large)
  run.masks = np.full((2, 702, 1200, 1), 255, np.uint8)
  aspect = fractions.Fraction(4, 3)
  run.report.begin(run.plan(pixel_aspect=aspect), resume=False)
  assert frames_of(run.page.all("video")[0]).shape == (2, 210, 480, 3)
  assert (
    "shown at 210 x 480 pixels (height x width), the input has 702 x 1200"
    in run.page.text
  )


@pytest.mark.parametrize("count", [1, 12, 60])
def test_a_video_stays_below_its_bound(tmp_path, count):
  """Noise compresses worst."""
  shape = (count, 96, 128, 3)
  noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  bound = 3_000 + 2_000 * count
  path = tmp_path / "noise.mp4"
  write_video(path, noise, fractions.Fraction(24), max_bytes=10**9)
  free = path.stat().st_size
  write_video(path, noise, fractions.Fraction(24), max_bytes=bound)
  assert path.stat().st_size <= bound < free


@pytest.mark.parametrize("bound", [1_000, 5_000, 50_000])
def test_a_picture_stays_below_its_bound(bound):
  noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
  content = jpeg(noise, max_bytes=bound)
  assert len(content) <= bound
  decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
  assert decoded.shape[0] * 160 == decoded.shape[1] * 120
