"""The forward-backward check: threshold, where it samples, and a known occlusion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flow
from tests.support import oracles

visible_mask = jax.jit(flow.visible_mask)


def constant_flow(dx, dy, shape=(1, 6, 8)):
  return np.broadcast_to(np.array([dx, dy], np.float32), (*shape, 2))


def moving_square():
  """Flow there and back of a square that moves 3 px to the right over still ground.

  Returns:
    `(flow_ij, flow_ji, hidden_in_j, hidden_in_i)`; the last two are `[1, H, W, 1]`.
  """
  square_i, square_j = np.zeros((2, 1, 10, 16, 1), bool)
  square_i[:, 3:7, 4:8] = True
  square_j[:, 3:7, 7:11] = True
  step = np.array([3, 0], np.float32)
  return square_i * step, square_j * -step, square_j & ~square_i, square_i & ~square_j


def test_agrees_with_the_loop():
  generator = np.random.default_rng(0)
  flow_ij = generator.uniform(-2, 2, (2, 7, 9, 2))
  flow_ji = generator.normal(scale=0.8, size=flow_ij.shape) - flow_ij
  visible = oracles.in_float64(visible_mask, flow_ij, flow_ji)
  np.testing.assert_array_equal(visible, oracles.visible(flow_ij, flow_ji))
  assert 0.1 < visible.mean() < 0.9


@pytest.mark.parametrize(
  ("distance", "expected"),
  # exp(-d^2 / 2) = 0.5 at d = 1.17741
  [(0.0, 1), (1.0, 1), (1.177, 1), (1.178, 0), (1.5, 0), (4.0, 0)],
)
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0, 4.0])
def test_visible_ends_at_a_likelihood_of_one_half(distance, expected, angle):
  missed = distance * np.array([np.cos(angle), np.sin(angle)])
  there = np.array([1.0, 2.0])
  visible = visible_mask(constant_flow(*there), constant_flow(*(missed - there)))
  assert (visible[:, :-2, :-1] == expected).all()  # the others leave the frame


def test_a_square_hides_the_ground_that_it_moves_over():
  flow_ij, flow_ji, hidden_in_j, _ = moving_square()
  np.testing.assert_array_equal(visible_mask(flow_ij, flow_ji), ~hidden_in_j)


def test_backward_the_ground_that_it_uncovers_is_hidden():
  flow_ij, flow_ji, _, hidden_in_i = moving_square()
  np.testing.assert_array_equal(visible_mask(flow_ji, flow_ij), ~hidden_in_i)


def test_what_leaves_the_frame_is_not_visible():
  visible = visible_mask(constant_flow(4, 0), constant_flow(-4, 0))
  expected = np.ones((1, 6, 8, 1))
  expected[:, :, -4:] = 0
  np.testing.assert_array_equal(visible, expected)


def test_is_a_float_mask_without_gradient():
  there = constant_flow(0.3, 0.2)
  visible = visible_mask(there, -there)
  assert visible.shape == (1, 6, 8, 1) and visible.dtype == jnp.float32
  gradient = jax.grad(lambda f: jnp.sum(visible_mask(f, -f) * f[..., :1]))(there)
  np.testing.assert_array_equal(gradient, np.broadcast_to([1.0, 0.0], there.shape))


@pytest.mark.usefixtures("own_checks")
def test_flows_of_two_shapes_are_refused():
  there = constant_flow(0, 0)
  with pytest.raises(ValueError, match="visible_mask needs two flows of one shape"):
    visible_mask(there, there[:, 1:])
