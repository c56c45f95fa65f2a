"""Warping error against a loop, and on clips whose motion is known."""

import numpy as np
import pytest

from dipvid_jax.evaluation.warping_error import warping_error
from flow import PairFlow
from tests.support.oracles import warp
from tests.support.synthetic import moving_hole, random_video_flow, translating_clip

COUNT, SIZE = 4, (10, 14)
HOLES = moving_hole(COUNT, SIZE)


def constant_flow(step):
  forward = np.broadcast_to(np.float32(step), (COUNT - 1, *SIZE, 2))
  visible = np.ones((COUNT - 1, *SIZE, 1), bool)
  return PairFlow(1, forward, -forward, visible, visible)


def test_agrees_with_the_loop():
  result = np.random.default_rng(0).random((COUNT, *SIZE, 3))
  flow = random_video_flow(COUNT, SIZE, (1,))[0]
  whole, hole = [], []
  for t in range(COUNT - 1):
    warped, weights = warp(result[t + 1 : t + 2], flow.forward[t : t + 1])
    of_pair, of_hole = [], []
    for y, x in np.ndindex(SIZE):
      if flow.forward_visible[t, y, x, 0] and weights[0, y, x, 0] >= 0.999:
        square = np.mean((result[t, y, x] - warped[0, y, x]) ** 2)
        of_pair.append(square)
        if HOLES[t, y, x, 0]:
          of_hole.append(square)
    whole.append(np.mean(of_pair))
    hole.append(np.mean(of_hole))
  error = warping_error(result, HOLES, flow)
  np.testing.assert_allclose(error, (np.mean(whole), np.mean(hole)), rtol=1e-5)


def test_a_clip_that_follows_the_flow_has_no_error():
  clip = translating_clip(COUNT, SIZE, step=(2, 1))
  assert warping_error(clip, HOLES, constant_flow((2, 1))) == (0, 0)
  still = warping_error(clip, HOLES, constant_flow((0, 0)))
  assert min(still) > 1e-4


def test_an_error_outside_the_hole_counts_only_for_the_whole():
  clip = np.zeros((COUNT, *SIZE, 3))
  clip[1] = 0.1 * (HOLES[0] == 0)
  error = warping_error(clip, HOLES, constant_flow((0, 0)))
  assert error.whole > 0 and 0 <= error.hole < error.whole


def test_without_a_hole_its_error_is_nan():
  clip = translating_clip(COUNT, SIZE)
  error = warping_error(clip, np.zeros_like(HOLES), constant_flow((2, 1)))
  assert error.whole == 0 and np.isnan(error.hole)


def test_the_flow_of_another_clip_is_refused():
  for flow in random_video_flow(COUNT + 1, SIZE, (1, 2)):
    with pytest.raises(ValueError, match="stride"):
      warping_error(translating_clip(COUNT, SIZE), HOLES, flow)
