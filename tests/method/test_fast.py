"""The recommended config: the hole's content is never looked at."""

import fractions

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.images import write_images
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare, put_back
from dipvid_jax.media.stacking import stack
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.recipes import load_config
from dipvid_jax.storage.rows import read_rows
from tests.support import untrained
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import translating_clip

_SMALL = {
  "size": (24, 48),
  "levels": 2,
  "rounds": 1,
  "batches_per_round": 4,
  "batches_per_call": 2,
  "least_uncarried": 0.0,
}
_T, _H, _W = 8, 50, 90


def _clip():
  rows, columns = np.mgrid[:_H, :_W]
  frames = np.stack(
    [
      np.stack(
        [(columns + 4 * t) * 3 % 256, rows * 5 % 256, (rows + columns) % 256], -1
      )
      for t in range(_T)
    ]
  )
  masks = np.zeros((_T, _H, _W, 1), np.uint8)
  masks[:, 17:31, 33:52] = 255
  return frames.astype(np.uint8), masks


def _config(**changes):
  config = load_config("fast", **{**_SMALL, **changes})
  return config


def test_garbage_in_the_hole_changes_no_bit(tmp_path):
  """From files to files: neither flow nor resizing nor network sees the hole."""
  frames, masks = _clip()
  garbage = np.random.default_rng(0).integers(0, 256, frames.shape, np.uint8)
  contents = {"one": frames, "other": np.where(masks > 0, garbage, frames)}
  write_images(tmp_path / "masks", masks.repeat(3, axis=-1))
  results = {}
  for name, content in contents.items():
    write_images(tmp_path / name, content)
    code = inpaint.main(
      [
        *("--config", "fast.py", "--video", str(tmp_path / name)),
        *("--mask", str(tmp_path / "masks"), "--output", str(tmp_path / f"out-{name}")),
        *(f"--config.{key}={value}" for key, value in _SMALL.items()),
      ]
    )
    assert code == 0
    results[name] = read_video(tmp_path / f"out-{name}" / "frames").frames
  np.testing.assert_array_equal(results["one"], results["other"])
  hole = masks[..., 0] > 0
  np.testing.assert_array_equal(results["one"][~hole], frames[~hole])
  assert (results["one"][hole] != frames[hole]).any()


def test_the_library_hides_the_hole_too():
  frames, masks = _clip()
  frames, holes = prepare(frames, masks, size=(24, 48), fit="pad", hide_hole=True)
  garbage = np.random.default_rng(0).uniform(size=frames.shape).astype(np.float32)
  one = inpaint_video(frames, holes, config=_config())
  other = inpaint_video(np.where(holes > 0, garbage, frames), holes, config=_config())
  np.testing.assert_array_equal(one.full, other.full)
  np.testing.assert_array_equal(one.stitched, other.stitched)


def test_no_touched_pixel_is_left_outside_the_hidden_hole():
  """Resizing smears the hole over its border; every smeared pixel is hole."""
  frames, masks = _clip()
  place_at = {"size": (24, 48), "fit": "crop"}
  hidden = prepare(np.where(masks > 0, 0, frames), masks, **place_at, hide_hole=True)
  shown = prepare(
    np.where(masks > 0, 255, frames).astype(np.uint8), masks, **place_at, hide_hole=True
  )
  outside = hidden[1][..., 0] == 0
  np.testing.assert_array_equal(hidden[0][outside], shown[0][outside])
  by_half = prepare(frames, masks, **place_at)[1]
  assert hidden[1].sum() > by_half.sum()
  assert (hidden[1] >= by_half).all()


@pytest.mark.parametrize(
  "change", [{"strides": (3,)}, {"carry": False, "strides": (3,)}]
)
def test_following_the_scene_needs_neighbouring_frames(change):
  frames, masks = _clip()
  frames, holes = prepare(frames, masks, size=(24, 48), fit="pad")
  with pytest.raises(ValueError, match="need stride 1"):
    inpaint_video(frames, holes, config=_config(batch_size=2, **change))


def test_a_missing_stride_1_leaves_no_folder(tmp_path, capsys):
  frames, masks = _clip()
  write_images(tmp_path / "clip", frames)
  write_images(tmp_path / "masks", masks.repeat(3, axis=-1))
  arguments = [
    "--config",
    "fast.py",
    "--video",
    str(tmp_path / "clip"),
    "--mask",
    str(tmp_path / "masks"),
    "--output",
    str(tmp_path / "out"),
    "--config.strides=(3,)",
    "--config.batch_size=2",
  ]
  assert inpaint.main(arguments) == 2
  assert "need stride 1" in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_the_faithful_config_has_none_of_it():
  config = load_config("flow")
  assert not config.propagation.hide_hole and not config.propagation.carry
  assert (config.network.network_input, config.network.noise_channels) == ("noise", 1)
  training = config.training
  assert (training.learning_rate_schedule, training.batches_per_call) == ("constant", 1)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_results_are_put_back_at_the_inputs_own_size(fit):
  frames, masks = _clip()
  placement = place((_H, _W), size=(24, 48), fit=fit)
  result = np.full((_T, 24, 48, 3), 77, np.uint8)
  filled = stack(put_back(frames, masks, result, placement=placement))
  hole = masks[..., 0] > 0
  np.testing.assert_array_equal(filled[~hole], frames[~hole])
  np.testing.assert_array_equal(filled[hole], 77)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_what_is_put_back_stands_where_it_was(fit):
  """A smooth clip goes to the working size and back into its own place."""
  rows, columns = np.mgrid[:_H, :_W]
  ramp = np.stack([2 * columns, 4 * rows, rows + columns], axis=-1).astype(np.uint8)
  frames, masks = np.stack([ramp] * 2), _clip()[1][:2]
  working, _ = prepare(frames, masks, size=(24, 48), fit=fit)
  levels = np.rint(working * 255).astype(np.uint8)
  placement = place((_H, _W), size=(24, 48), fit=fit)
  filled = stack(put_back(frames, masks, levels, placement=placement))
  assert np.abs(filled.astype(int) - frames).max() <= 4


def test_odd_sizes_come_back_as_they_were(tmp_path):
  frames, masks = _clip()
  write_images(tmp_path / "clip", frames[:6, :49, :89])
  write_images(tmp_path / "masks", masks[:6, :49, :89].repeat(3, axis=-1))
  arguments = [
    "--config",
    "fast.py",
    "--video",
    str(tmp_path / "clip"),
    "--mask",
    str(tmp_path / "masks"),
    "--output",
    str(tmp_path / "out"),
    "--config.max_updates=2",
    *(f"--config.{key}={value}" for key, value in _SMALL.items()),
  ]
  assert inpaint.main(arguments) == 0
  assert read_video(tmp_path / "out/frames").frames.shape == (6, 49, 89, 3)
  video = read_video(tmp_path / "out/inpainted.mp4")
  assert video.frames.shape == (6, 50, 90, 3)
  assert video.frame_rate == fractions.Fraction(24)


def test_a_cut_is_named(tmp_path, monkeypatch, capsys):
  untrained.instead_of_training(monkeypatch)
  _, masks = _clip()
  still = np.random.default_rng(0).integers(0, 256, (2, _H, _W, 3), np.uint8)
  still = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in still]
  frames = np.stack([still[t >= 5] for t in range(_T)])
  write_images(tmp_path / "clip", frames)
  write_images(tmp_path / "masks", masks.repeat(3, axis=-1))
  files = ("--video", str(tmp_path / "clip"), "--mask", str(tmp_path / "masks"))
  settings = [f"--config.{key}={value}" for key, value in _SMALL.items()]
  output = ("--output", str(tmp_path / "out"))
  assert inpaint.main(["--config=fast.py", *files, *output, *settings]) == 0
  assert "cut before frame 5 (the first one is 0)" in capsys.readouterr().out


@pytest.fixture
def carried_everywhere(tmp_path):
  """A pan that uncovers all of the hole, as files; and its arguments."""
  count, size = 8, (48, 64)
  frames = translating_clip(count, size, step=(6, 0))
  masks = np.zeros((count, *size, 3), np.uint8)
  masks[:, 18:30, 26:36] = 255
  write_images(tmp_path / "clip", to_levels(frames))
  write_images(tmp_path / "masks", masks)
  return [
    *("--config=fast.py", "--size=48x64", "--config.levels=2"),
    *("--video", str(tmp_path / "clip"), "--mask", str(tmp_path / "masks")),
    *("--output", str(tmp_path / "out"), "--config.max_updates=2"),
  ]


def test_no_network_is_trained_where_pixels_are_carried_everywhere(
  carried_everywhere, tmp_path, capsys
):
  assert inpaint.main(carried_everywhere) == 0
  said = capsys.readouterr().out
  assert "stopped after 0 updates: pixels are carried to 100.0% of the hole" in said
  out = tmp_path / "out"
  assert not (out / "metrics.jsonl").exists()
  (row,) = read_rows(out / "rounds.jsonl")
  assert row["update"] == 0 and row["network_share"] == 0
  page = (out / "report.html").read_text()
  assert "no network is needed" in page
  frames = read_video(out / "frames").frames
  full = read_video(out / "full").frames.astype(int)
  np.testing.assert_allclose(full, frames, atol=3)  # but for the sampled detail
  assert inpaint.main([*carried_everywhere, "--resume"]) == 0
  assert len(read_rows(out / "rounds.jsonl")) == 1
  np.testing.assert_array_equal(read_video(out / "frames").frames, frames)


def test_a_network_is_trained_where_it_is_asked_for(carried_everywhere, tmp_path):
  assert inpaint.main([*carried_everywhere, "--config.least_uncarried=0"]) == 0
  (row,) = read_rows(tmp_path / "out/rounds.jsonl")
  assert row["update"] == 2 and "stopped" not in row


def test_a_network_is_trained_where_the_hole_is_never_uncovered():
  """A still camera and a still hole: no frame shows what is hidden."""
  frames, masks = _clip()
  frames, holes = prepare(frames[:1].repeat(_T, 0), masks, size=(24, 48), fit="pad")
  visits = []

  class Seen(Callbacks):
    def on_visit(self, visit, metrics, state):
      visits.append(visit)

  config = _config(least_uncarried=0.01, max_updates=2)
  result = inpaint_video(frames, holes, config=config, callbacks=Seen())
  assert visits and result.guess.uncarried == 1
