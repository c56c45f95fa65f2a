"""Held-out pixels: where they are drawn, and that the training never sees them."""

import jax
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.recipes import load_config
from dipvid_jax.metrics import hole_psnr
from dipvid_jax.training.holdout import draw_holdout, holdout_psnr, patch_side
from tests.support.callbacks import Recorder
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import moving_hole, random_video_flow, translating_clip

COUNT, SIZE = 8, (24, 32)
HOLES = moving_hole(COUNT, SIZE)


def squares_in(mask, side):
  """Corners of squares of this side that tile a mask `[H, W]`, read in order."""
  left, corners = mask.copy() > 0, []
  while left.any():
    top, column = map(int, np.argwhere(left)[0])
    square = left[top : top + side, column : column + side]
    assert square.shape == (side, side) and square.all()
    square[:] = False
    corners.append((top, column))
  return corners


@pytest.mark.parametrize(
  ("size", "side"),
  [((12, 16), 2), ((96, 192), 8), ((192, 384), 16), ((720, 1280), 16)],
)
def test_squares_grow_with_the_frame(size, side):
  assert patch_side(size) == side


@pytest.mark.parametrize("seed", range(4))
def test_squares_stay_two_pixels_away_from_the_hole(seed):
  holdout = draw_holdout(HOLES, fraction=0.2, seed=seed)
  assert holdout.shape == HOLES.shape and holdout.dtype == np.float32
  assert set(np.unique(holdout)) == {0, 1}
  for held_out, hole in zip(holdout[..., 0], HOLES[..., 0], strict=True):
    ours, theirs = np.argwhere(held_out > 0), np.argwhere(hole > 0)
    distances = np.abs(ours[:, None] - theirs[None]).max(axis=-1)
    assert distances.min() > 2


@pytest.mark.parametrize("fraction", [0.001, 0.02, 0.1])
def test_the_fraction_is_reached_within_a_square(fraction):
  holdout = draw_holdout(HOLES, fraction=fraction, seed=0)
  side = patch_side(SIZE)
  wanted = fraction * (HOLES == 0).sum()
  assert wanted <= holdout.sum() < wanted + side**2
  frames = holdout.sum(axis=(1, 2, 3))
  assert np.ptp(frames) <= 2 * side**2


def test_every_frame_has_its_own_squares():
  holdout = draw_holdout(HOLES, fraction=0.05, seed=0)
  corners = [squares_in(mask[..., 0], patch_side(SIZE)) for mask in holdout]
  assert len({tuple(frame) for frame in corners}) == COUNT


def test_the_squares_depend_on_the_seed():
  first, again, other = (
    draw_holdout(HOLES, fraction=0.05, seed=seed) for seed in (3, 3, 4)
  )
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()


def test_a_clip_without_room_has_no_squares():
  """Rows of hole with 5 known rows between them, of which 1 is far enough away."""
  holes = np.zeros_like(HOLES)
  holes[:, ::6] = holes[:, -1] = 1
  assert patch_side(SIZE) == 2
  holdout = draw_holdout(holes, fraction=0.1, seed=0)
  assert not holdout.any()
  assert holdout_psnr(FRAMES, FRAMES, holdout) is None


def test_quality_is_measured_on_held_out_pixels_alone():
  generator = np.random.default_rng(0)
  frames, full = generator.random((2, COUNT, *SIZE, 3))
  holdout = draw_holdout(HOLES, fraction=0.05, seed=0)
  places = [tuple(place) for place in np.argwhere(holdout[..., 0])]
  error = [(full[place] - frames[place]) ** 2 for place in places]
  expected = -10 * np.log10(np.mean(error))
  assert holdout_psnr(full, frames, holdout) == pytest.approx(expected)


FRAMES = translating_clip(COUNT, SIZE, step=(1, 0))
HOLDOUT = draw_holdout(HOLES, fraction=0.1, seed=0)
GARBAGE = np.random.default_rng(1).random(FRAMES.shape).astype(np.float32)
METHODS = {
  "fast": {"batches_per_round": 3},
  "flow": {"inner_steps": 2, "batches_per_round": 1, "perceptual_weight": 0.0},
}


def train(method, frames, **changes):
  """A short run; `(result, the state after it)`."""
  small = {"levels": 1, "rounds": 1, "strides": (1,), "holdout_fraction": 0.1}
  config = load_config(method, **{**small, **METHODS[method], **changes})
  recorder = Recorder()
  result = inpaint_video(
    frames,
    HOLES,
    config=config,
    video_flow=random_video_flow(COUNT, SIZE, (1,)),
    callbacks=recorder,
  )
  return result, recorder.states[-1]


@pytest.mark.parametrize("method", METHODS)
def test_garbage_in_held_out_pixels_changes_no_parameter(method):
  one, state = train(method, FRAMES)
  spoilt = np.where(HOLDOUT > 0, GARBAGE, FRAMES)
  other, other_state = train(method, spoilt)
  jax.tree.map(np.testing.assert_array_equal, state, other_state)
  np.testing.assert_array_equal(one.full, other.full)
  assert one.holdout_psnr == pytest.approx(hole_psnr(one.full, FRAMES, HOLDOUT))
  assert other.holdout_psnr == pytest.approx(hole_psnr(one.full, spoilt, HOLDOUT))
  assert one.holdout_psnr > other.holdout_psnr
  # The result has the input there, whatever it is.
  for result, frames in ((one, FRAMES), (other, spoilt)):
    known = HOLES[..., 0] == 0
    np.testing.assert_array_equal(result.stitched[known], frames[known])
    assert (result.share[HOLDOUT > 0] == 0).all()


def test_without_a_holdout_the_same_pixels_change_the_parameters():
  """The test above would also pass if nothing ever read these pixels."""
  _, state = train("flow", FRAMES, holdout_fraction=0.0)
  spoilt = np.where(HOLDOUT > 0, GARBAGE, FRAMES)
  _, other = train("flow", spoilt, holdout_fraction=0.0)
  kernels = [s.params["heads"]["kernel"] for s in (state, other)]
  assert (kernels[0] != kernels[1]).any()


def test_the_faithful_configs_hold_nothing_out():
  for name in ("flow", "vid", "vid3d", "dip"):
    stopping = load_config(name).stopping
    assert stopping.holdout_fraction == 0
    assert stopping.stop_patience is None and stopping.max_minutes is None


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    ({"holdout_fraction": 0.6}, r"holdout_fraction: must be 0 to 0\.5, got 0\.6"),
    ({"holdout_fraction": -0.1}, "holdout_fraction: must be 0 to 0.5"),
    ({"holdout_fraction": 0.0, "stop_patience": 2}, "stop_patience: waits for"),
    ({"stop_patience": 0}, "stop_patience: must be 1"),
    ({"max_minutes": float("nan")}, "max_minutes"),
    ({"preview_every": 0}, "preview_every"),
  ],
)
def test_impossible_settings_are_refused(changes, said):
  with pytest.raises(InputError, match=said):
    train("flow", FRAMES, **changes)


def test_one_network_per_frame_allows_no_limits_during_training():
  for changes in ({"holdout_fraction": 0.1}, {"max_minutes": 1.0}):
    with pytest.raises(InputError, match='schedule="frames" finishes one frame'):
      load_config("dip", **changes)
