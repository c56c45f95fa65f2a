"""The four losses against loops; what counts, what does not, what gets a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.training.losses import (
  consistency_loss,
  flow_loss,
  masked_l2_loss,
  perceptual_loss,
)
from tests.support import oracles

SHAPE = (2, 4, 5)


def draw(channels, seed):
  return np.random.default_rng(seed).random((*SHAPE, channels))


def mask(seed, share=0.4):
  return (np.random.default_rng(seed).random((*SHAPE, 1)) < share) * 1.0


def mean_of_squares(prediction, target, weight):
  """The mean over every element, those of weight zero included."""
  total = 0.0
  for n, y, x, c in np.ndindex(prediction.shape):
    difference = prediction[n, y, x, c] - target[n, y, x, c]
    total += (difference * weight[n, y, x, 0]) ** 2
  return total / prediction.size


def test_image_loss_agrees_with_the_loop():
  prediction, target, hole = draw(3, 0), draw(3, 1), mask(2)
  actual = oracles.in_float64(masked_l2_loss, prediction, target, hole)
  expected = mean_of_squares(prediction, target, 1 - hole)
  np.testing.assert_allclose(actual, expected, rtol=1e-13)
  assert actual.shape == ()


def test_flow_loss_agrees_with_the_loop():
  prediction, target, hole, visible = draw(2, 0), draw(2, 1), mask(2), mask(3, 0.7)
  actual = oracles.in_float64(flow_loss, prediction, target, hole, visible)
  expected = mean_of_squares(prediction, target, (1 - hole) * visible)
  np.testing.assert_allclose(actual, expected, rtol=1e-13)


def test_consistency_loss_agrees_with_the_loop():
  warped, reference, hole, in_bounds = draw(3, 0), draw(3, 1), mask(2), mask(3, 0.7)
  actual = oracles.in_float64(consistency_loss, warped, reference, hole, in_bounds)
  expected = mean_of_squares(warped, reference, hole * in_bounds)
  np.testing.assert_allclose(actual, expected, rtol=1e-13)


def test_perceptual_loss_is_the_sum_of_the_layers_means():
  layers = [(draw(c, 10 + c), draw(c, 20 + c), mask(30 + c)) for c in (2, 4, 7)]
  actual = oracles.in_float64(perceptual_loss, *zip(*layers, strict=True))
  expected = sum(mean_of_squares(a, b, 1 - hole) for a, b, hole in layers)
  np.testing.assert_allclose(actual, expected, rtol=1e-13)


def test_hole_pixels_stay_in_the_divisor():
  """One wrong element of 1 among SHAPE's 40 pixels x 3 channels."""
  target = np.zeros((*SHAPE, 3), np.float32)
  prediction = target.copy()
  prediction[0, 0, 0, 0] = 1
  hole = np.ones((*SHAPE, 1), np.float32)
  hole[0, 0, 0] = 0
  for holes in (hole, np.zeros_like(hole)):
    np.testing.assert_allclose(masked_l2_loss(prediction, target, holes), 1 / 120)


LOSSES = {
  "image": (masked_l2_loss, 3, lambda hole, other: (hole,)),
  "flow": (flow_loss, 2, lambda hole, other: (hole, other)),
  "consistency": (consistency_loss, 3, lambda hole, other: (1 - hole, other)),
  "perceptual": (
    lambda a, b, hole: perceptual_loss([a], [b], [hole]),
    4,
    lambda hole, other: (hole,),
  ),
}


def case(name):
  """`(loss of (prediction, target), prediction, target, where it does not count)`."""
  loss, channels, order = LOSSES[name]
  hole, other = np.float32(mask(2)), np.float32(mask(3, 0.7))
  masks = order(hole, other)
  left_out = hole == 1 if len(masks) == 1 else (hole == 1) | (other == 0)
  pair = np.float32(draw(channels, 0)), np.float32(draw(channels, 1))
  return lambda a, b: loss(a, b, *masks), *pair, left_out


@pytest.mark.parametrize("name", LOSSES)
def test_content_that_does_not_count_has_no_influence(name):
  loss, prediction, target, left_out = case(name)
  expected = loss(prediction, target)
  assert loss(np.where(left_out, 1e3, prediction), target) == expected
  assert loss(prediction, np.where(left_out, -1e3, target)) == expected
  assert loss(np.where(left_out, prediction, 1e3), target) > 1e3


@pytest.mark.parametrize("name", LOSSES)
def test_content_that_does_not_count_gets_no_gradient(name):
  loss, prediction, target, left_out = case(name)
  gradient = np.abs(jax.grad(loss)(prediction, target)).max(axis=-1, keepdims=True)
  assert (gradient[left_out] == 0).all()
  assert (gradient[~left_out] > 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_shift_of_everything_changes_nothing(name):
  """Means ignore positions: a rolled clip has the same loss."""
  loss, channels, order = LOSSES[name]
  arrays = draw(channels, 0), draw(channels, 1), *order(mask(2), mask(3, 0.7))
  rolled = [np.roll(array, (1, 2), axis=(1, 2)) for array in arrays]
  expected = oracles.in_float64(loss, *arrays)
  np.testing.assert_allclose(oracles.in_float64(loss, *rolled), expected, rtol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_flat_images_cost_nothing_and_have_finite_gradients(name, value):
  loss, channels, order = LOSSES[name]
  flat = np.full((*SHAPE, channels), 0.5, np.float32)
  masks = order(np.full((*SHAPE, 1), value, np.float32), np.ones((*SHAPE, 1)))
  assert loss(flat, flat, *masks) == 0
  np.testing.assert_array_equal(jax.grad(loss)(flat, flat, *masks), np.zeros_like(flat))


def test_consistency_has_no_gradient_for_its_reference():
  loss, warped, reference, _ = case("consistency")
  to_warped, to_reference = jax.grad(loss, argnums=(0, 1))(warped, reference)
  assert np.abs(to_warped).max() > 0
  np.testing.assert_array_equal(to_reference, np.zeros_like(reference))


@pytest.mark.parametrize("loss", [masked_l2_loss, flow_loss])
def test_the_other_losses_do_not_stop_the_targets_gradient(loss):
  """In the program the targets have no gradient; a user may want one."""
  masks = [np.float32(mask(2))] + [np.ones((*SHAPE, 1), np.float32)] * (
    loss is flow_loss
  )
  pair = np.float32(draw(2, 0)), np.float32(draw(2, 1))
  gradients = jax.grad(loss, argnums=(0, 1))(*pair, *masks)
  np.testing.assert_array_equal(gradients[0], -gradients[1])


def test_perceptual_loss_of_no_layers_is_zero():
  assert perceptual_loss([], [], []) == 0


def zeros(channels, shape=SHAPE):
  return jnp.zeros((*shape, channels))


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize(
  ("loss", "arguments"),
  [
    (masked_l2_loss, (zeros(3), zeros(3), zeros(3))),
    (masked_l2_loss, (zeros(3), zeros(1), zeros(1))),
    (masked_l2_loss, (zeros(3), zeros(3), zeros(1, (2, 5, 4)))),
    (flow_loss, (zeros(2), zeros(2), zeros(1), zeros(2))),
    (consistency_loss, (zeros(3), zeros(3), zeros(1), zeros(1, (1, 4, 5)))),
    (perceptual_loss, ([zeros(3)], [zeros(3)], [zeros(3)])),
    (perceptual_loss, ([zeros(3)], [zeros(3)] * 2, [zeros(1)])),
  ],
)
def test_shapes_that_would_broadcast_are_refused(loss, arguments):
  with pytest.raises(ValueError, match="needs"):
    jax.eval_shape(loss, *arguments)
