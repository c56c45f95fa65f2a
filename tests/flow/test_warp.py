"""Backward warping against a loop, at the frame's edges, and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import flow as flow_library
from tests.support import oracles

backward_warp = jax.jit(flow_library.backward_warp)

SHAPE = (2, 6, 9)


@pytest.fixture
def image():
  return np.random.default_rng(0).normal(size=(*SHAPE, 3))


@pytest.fixture
def flow():
  """Fractional, in all directions, some of it out of the frame."""
  return np.random.default_rng(1).uniform(-3, 3, size=(*SHAPE, 2))


def constant_flow(dx, dy):
  return np.broadcast_to(np.array([dx, dy], np.float32), (*SHAPE, 2))


def test_agrees_with_the_loop(image, flow):
  expected, weights = oracles.warp(image, flow)
  warped, in_bounds = oracles.in_float64(backward_warp, image, flow)
  np.testing.assert_allclose(warped, expected, rtol=0, atol=1e-13)
  np.testing.assert_array_equal(in_bounds, weights >= 0.999)
  assert 0.2 < np.mean(in_bounds) < 0.8


def test_agrees_with_the_loop_in_float32(image, flow):
  expected, _ = oracles.warp(image, flow)
  warped, in_bounds = backward_warp(np.float32(image), np.float32(flow))
  assert warped.dtype == in_bounds.dtype == jnp.float32
  np.testing.assert_allclose(warped, expected, rtol=0, atol=1e-5)


def test_zero_flow_changes_nothing_and_is_in_bounds_to_the_last_row(image):
  warped, in_bounds = backward_warp(np.float32(image), constant_flow(0, 0))
  np.testing.assert_array_equal(warped, np.float32(image))
  np.testing.assert_array_equal(in_bounds, np.ones((*SHAPE, 1)))


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, 2), (-2, 1), (-8, -5), (20, 0)])
def test_whole_pixels_shift_and_leave_zeros(image, dx, dy):
  expected = np.zeros(image.shape, np.float32)
  inside = np.zeros((*SHAPE, 1))
  for y, x in np.ndindex(SHAPE[1:]):
    if 0 <= y + dy < SHAPE[1] and 0 <= x + dx < SHAPE[2]:
      expected[:, y, x] = image[:, y + dy, x + dx]
      inside[:, y, x] = 1
  warped, in_bounds = backward_warp(np.float32(image), constant_flow(dx, dy))
  np.testing.assert_array_equal(warped, expected)
  np.testing.assert_array_equal(in_bounds, inside)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("beyond", "inside"), [(0.0009, 1), (0.0012, 0)])
def test_in_bounds_ends_where_a_thousandth_of_the_weight_is_outside(
  image, axis, beyond, inside
):
  shift = np.zeros(2)
  shift[axis] = beyond
  _, after = backward_warp(np.float32(image), constant_flow(*shift))
  _, before = backward_warp(np.float32(image), constant_flow(*-shift))
  # dx, axis 0, moves along the columns and dy along the rows.
  after, before = (np.moveaxis(mask, 2 - axis, 0) for mask in (after, before))
  assert (after[-1] == inside).all() and (after[:-1] == 1).all()
  assert (before[0] == inside).all() and (before[1:] == 1).all()


def test_in_bounds_asks_for_weights_not_for_content():
  _, in_bounds = backward_warp(np.zeros((*SHAPE, 1), np.float32), constant_flow(0.5, 0))
  expected = np.ones((*SHAPE, 1))
  expected[:, :, -1] = 0  # half of the last column's weight is outside
  np.testing.assert_array_equal(in_bounds, expected)


def test_a_shift_of_image_and_flow_shifts_the_result(image, flow):
  def shift(array):
    return np.roll(array, (1, 2), axis=(1, 2))

  flow = np.clip(flow, -1, 1)  # what the roll brings around the edge stays there
  warped, _ = backward_warp(np.float32(image), np.float32(flow))
  shifted, _ = backward_warp(np.float32(shift(image)), np.float32(shift(flow)))
  np.testing.assert_allclose(
    shifted[:, 2:-1, 3:-1], shift(warped)[:, 2:-1, 3:-1], rtol=0, atol=1e-6
  )


def test_gradients_equal_finite_differences(image, flow):
  def warp(image, flow):
    return backward_warp(image, flow)[0]

  with jax.enable_x64():
    check_grads(warp, (image, flow), order=1, modes=["rev"], eps=1e-6)


def test_no_gradient_flows_through_in_bounds(image, flow):
  gradient = jax.grad(lambda f: jnp.sum(backward_warp(np.float32(image), f)[1]))
  np.testing.assert_array_equal(gradient(np.float32(flow)), np.zeros(flow.shape))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("displacement", [0.0, 2.0, -0.5, 1e6])
def test_gradients_are_finite_on_flat_images(value, displacement):
  image = np.full((*SHAPE, 3), value, np.float32)

  def energy(image, flow):
    return jnp.sum(jnp.square(backward_warp(image, flow)[0]))

  flow = constant_flow(displacement, displacement)
  gradients = jax.grad(energy, argnums=(0, 1))(image, flow)
  assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_zero_flow_has_the_slope_towards_the_next_pixel_as_gradient():
  ramp = np.broadcast_to(2.0 * np.arange(SHAPE[2])[:, None], (*SHAPE, 1))
  gradient = jax.grad(lambda flow: jnp.sum(backward_warp(np.float32(ramp), flow)[0]))(
    constant_flow(0, 0)
  )
  np.testing.assert_array_equal(gradient[..., :-1, 0], 2)
  np.testing.assert_array_equal(gradient[:, :-1, :, 1], 0)


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize(
  ("image_shape", "flow_shape"),
  [
    ((6, 9, 3), (6, 9, 2)),
    ((2, 6, 9, 3), (2, 6, 9, 3)),
    ((2, 6, 9, 3), (2, 9, 6, 2)),
    ((2, 6, 9, 3), (1, 6, 9, 2)),
  ],
)
def test_shapes_that_do_not_fit_are_refused(image_shape, flow_shape):
  with pytest.raises(ValueError, match=r"backward_warp needs .* got"):
    jax.eval_shape(backward_warp, jnp.zeros(image_shape), jnp.zeros(flow_shape))
