"""How reliable carried and filled pixels are, and the guess made from them."""

import cv2
import jax
import numpy as np
import pytest

from dipvid_jax.propagation.carrying import carry_known_pixels
from dipvid_jax.propagation.guess import make_guess, network_share
from dipvid_jax.propagation.telea import telea
from flow import PairFlow, complete_video_flow
from tests.support.synthetic import translating_clip

COUNT, SIZE, STEP = 8, (48, 64), (3, 1)
TRUTH = translating_clip(COUNT, SIZE, step=STEP)
HOLES = np.zeros((COUNT, *SIZE, 1), np.float32)
HOLES[:, 18:28, 24:36] = 1
FILLED = telea(TRUTH, HOLES)


def pairs(step=STEP, *, jitter=0.0):
  """Flow at stride 1 of a scene that moves by `step`, with an error of `jitter` px."""
  shape = (COUNT - 1, *SIZE, 2)
  noise = np.random.default_rng(0).normal(scale=jitter, size=(2, *shape))
  forward, backward = np.float32([step, (-step[0], -step[1])]).reshape(
    2, 1, 1, 1, 2
  ) + noise.astype(np.float32)
  visible = np.ones((*shape[:3], 1), bool)
  return PairFlow(1, forward, backward, visible, visible)


def guess_of(flow, *, filled=FILLED, seed=0):
  return make_guess(filled, HOLES, flow, generator=np.random.default_rng(seed))


def error_in_hole(frames):
  return np.square(frames - TRUTH)[HOLES[..., 0] > 0].mean()


def test_where_the_flow_is_right_the_carried_pixels_are_taken():
  guess = guess_of(pairs())
  assert error_in_hole(guess.frames) < 0.1 * error_in_hole(FILLED)
  assert guess.trust[HOLES > 0].mean() > 0.5


def test_where_the_flow_is_wrong_the_filled_pixels_are_taken():
  """Without the measurement the carried pixels would be trusted."""
  wrong = pairs((-3, 4))
  (completed,) = complete_video_flow((wrong,), HOLES)
  carried = carry_known_pixels(FILLED, HOLES, completed)
  assert carried.confidence[HOLES > 0].mean() > 0.5
  guess = guess_of(wrong)
  assert error_in_hole(carried.frames) > 1.5 * error_in_hole(FILLED)
  assert error_in_hole(guess.frames) < 1.2 * error_in_hole(FILLED)


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_expected_errors_are_of_the_size_of_the_real_ones(jitter):
  guess = guess_of(pairs(jitter=jitter))
  expected = guess.error[HOLES > 0].mean()
  real = error_in_hole(guess.frames)
  assert real / 4 < expected < 4 * real + 1e-4


def test_outside_the_hole_nothing_changes_and_nothing_is_in_doubt():
  guess = guess_of(pairs())
  known = HOLES[..., 0] == 0
  np.testing.assert_array_equal(guess.frames[known], TRUTH[known])
  assert (guess.error[known] == 0).all() and (guess.error[~known] > 0).all()
  np.testing.assert_array_equal(guess.trust[known], 1)


def test_trust_rises_with_confidence_and_the_error_with_depth():
  flow = pairs(jitter=1.5)
  (completed,) = complete_video_flow((flow,), HOLES)
  carried = carry_known_pixels(FILLED, HOLES, completed)
  depths = np.zeros(SIZE)
  depths[18:28, 24:36] = 1
  rim = depths - cv2.erode(depths, np.ones((3, 3)))
  same_depth = np.broadcast_to(rim > 0, HOLES.shape[:3])
  guess = guess_of(flow)
  order = np.argsort(carried.confidence[same_depth][:, 0])
  assert (np.diff(guess.trust[same_depth][order, 0]) >= -1e-6).all()
  assert np.ptp(guess.trust[same_depth]) > 0.01
  nothing = guess_of(pairs((200, 0)))  # leaves the frame at once
  assert nothing.error[0, 22, 30, 0] >= nothing.error[0, 18, 24, 0] > 0


def test_a_hole_whose_copies_cover_no_known_pixel_gives_a_finite_guess():
  holes = np.ones_like(HOLES)
  holes[:, 0, 0] = 0
  guess = make_guess(
    telea(TRUTH, holes), holes, pairs(), generator=np.random.default_rng(0)
  )
  for array in guess[:4]:
    assert np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1


def test_where_nothing_arrives_only_the_filling_counts():
  """Flow that leaves the frame at once carries nothing."""
  guess = guess_of(pairs((200, 0)))
  hole = HOLES[..., 0] > 0
  np.testing.assert_allclose(guess.frames[hole], FILLED[hole], atol=1e-6)
  assert np.isfinite(guess.error).all()


def test_the_holes_content_has_no_influence():
  garbage = np.where(HOLES > 0, np.random.default_rng(1).random(TRUTH.shape), TRUTH)
  filled = telea(np.float32(garbage), HOLES)
  first, second = guess_of(pairs()), guess_of(pairs(), filled=filled)
  jax.tree.map(np.testing.assert_array_equal, first, second)


def test_the_measurement_depends_on_the_seed():
  first, again, other = (guess_of(pairs(jitter=1), seed=s).error for s in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()


def test_the_networks_share_follows_both_errors_under_the_copies():
  """Squared errors of 0.01 and 0.04 there give shares by their squares."""
  guess = guess_of(pairs())
  shape = guess.copies.frames.shape
  under = TRUTH[tuple(guess.copies.where.T)]
  guess = guess._replace(
    copies=guess.copies._replace(frames=under + np.full(shape, 0.1))
  )
  for off, unseen, expected in [
    (0.1, 1.0, 1 / 2),
    (0.1, 4.0, 1 / 17),
    (0.2, 1.0, 1 / 17),
    (0.05, 1.0, 16 / 17),
    (1000, 1.0, 0),
  ]:
    share = network_share(TRUTH + np.float32(off), TRUTH, guess, unseen=unseen)
    assert (share[HOLES == 0] == 0).all()
    np.testing.assert_allclose(share[HOLES > 0], expected, atol=1e-3)


def test_the_copies_lie_on_known_pixels_and_are_as_good_as_the_guess():
  guess = guess_of(pairs())
  under = tuple(guess.copies.where.T)
  assert (HOLES[under] == 0).all()
  errors = np.square(guess.copies.frames - TRUTH[under]).mean(axis=-1)
  assert errors.mean() < 0.2 * error_in_hole(FILLED)
  rough = guess_of(pairs(jitter=2))
  rough_errors = np.square(rough.copies.frames - TRUTH[under]).mean(axis=-1)
  assert rough_errors.mean() > 2 * errors.mean()
  assert rough.copies.error.mean() > 1.5 * guess.copies.error.mean()
