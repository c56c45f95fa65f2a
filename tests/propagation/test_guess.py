"""The guess: carried and filled pixels, mixed by what copies of the hole proved."""

import numpy as np

from dipvid_jax.propagation.carrying import carry_known_pixels
from dipvid_jax.propagation.guess import guess_steps, make_guess
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
  assert carried.confidence[HOLES[..., 0] > 0].mean() > 0.5
  guess = guess_of(wrong)
  assert error_in_hole(carried.frames) > 1.5 * error_in_hole(FILLED)
  assert error_in_hole(guess.frames) < 1.2 * error_in_hole(FILLED)


def test_outside_the_hole_nothing_changes():
  guess = guess_of(pairs())
  known = HOLES[..., 0] == 0
  np.testing.assert_array_equal(guess.frames[known], TRUTH[known])
  learnt = known.copy()
  learnt[tuple(guess.proof.where.T)] = False
  np.testing.assert_array_equal(guess.target[learnt], TRUTH[learnt])
  np.testing.assert_array_equal(guess.trust[learnt], 1)


def test_the_score_is_higher_where_nothing_can_be_predicted():
  """The lower half of every frame is noise of its own."""
  noise = np.random.default_rng(0).random(TRUTH.shape).astype(np.float32)
  lower = np.arange(SIZE[0])[:, None, None] >= 23
  clip = telea(np.where(lower, noise, TRUTH), HOLES)
  guess = guess_of(pairs(), filled=clip)
  below = guess.hole.where[:, 1] >= 24
  assert np.median(guess.hole.score[below]) > np.median(guess.hole.score[~below]) + 1
  trust = guess.trust[HOLES > 0]
  assert trust[below].mean() < trust[~below].mean() - 0.1


def test_a_hole_whose_copies_cover_no_known_pixel_gives_a_finite_guess():
  holes = np.ones_like(HOLES)
  holes[:, 0, 0] = 0
  guess = make_guess(
    telea(TRUTH, holes), holes, pairs(), generator=np.random.default_rng(0)
  )
  for array in guess[:3]:
    assert np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1


def test_where_nothing_arrives_only_the_filling_counts():
  """Flow that leaves the frame at once carries nothing."""
  guess = guess_of(pairs((200, 0)))
  hole = HOLES[..., 0] > 0
  np.testing.assert_allclose(guess.frames[hole], FILLED[hole], atol=1e-6)
  assert np.isinf(guess.hole.score).all() and guess.trust[HOLES > 0].max() < 1e-6


def test_the_holes_content_has_no_influence():
  garbage = np.where(HOLES > 0, np.random.default_rng(1).random(TRUTH.shape), TRUTH)
  filled = telea(np.float32(garbage), HOLES)
  first, second = guess_of(pairs()), guess_of(pairs(), filled=filled)
  for one, other in ((first, second), (first.hole, second.hole)):
    for name in set(one._fields) - {"hole", "proof", "carried"}:
      np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_measurement_depends_on_the_seed():
  first, again, other = (guess_of(pairs(jitter=1), seed=s).trust for s in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()


def test_the_proof_lies_on_known_pixels_and_is_as_good_as_the_guess():
  guess = guess_of(pairs())
  under = tuple(guess.proof.where.T)
  assert (HOLES[under] == 0).all() and guess.proof.place.min() == 1
  errors = np.square(guess.proof.colours - TRUTH[under]).mean(axis=-1)
  assert errors.mean() < 0.2 * error_in_hole(FILLED)
  weights = np.concatenate([guess.proof.weights, guess.hole.weights], axis=1)
  assert weights.min() >= 0
  np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)


def test_nothing_is_carried_from_what_is_hidden_beside_the_hole():
  """The right half of every frame is marked: its colours reach the left nowhere."""
  also = np.zeros_like(HOLES)
  also[:, :, 40:] = 1
  marked = FILLED.copy()
  marked[:, :, 41:] = (1, 0, 1)  # a column beside it is within interpolation's reach
  plain, other = (
    make_guess(
      clip, HOLES, pairs(), generator=np.random.default_rng(0), also_hidden=also
    ).hole.layers[0]
    for clip in (FILLED, marked)
  )
  assert np.abs(plain - other).max() < 0.1


def test_progress_counts_every_step():
  steps = []
  make_guess(
    FILLED,
    HOLES,
    pairs(),
    generator=np.random.default_rng(0),
    on_progress=steps.append,
  )
  assert sum(steps) == guess_steps(len(FILLED))
