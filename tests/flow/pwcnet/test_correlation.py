"""The cost volume against a slow loop, and what must hold for any features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.pwcnet.correlation import cost_volume


def features(seed, shape):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def slow_cost_volume(first, second):
  batch, height, width, _ = first.shape
  volume = np.zeros((batch, height, width, 81))
  for b in range(batch):
    for y in range(height):
      for x in range(width):
        for dy in range(-4, 5):
          for dx in range(-4, 5):
            if 0 <= y + dy < height and 0 <= x + dx < width:
              products = first[b, y, x].astype(float) * second[b, y + dy, x + dx]
              volume[b, y, x, (dy + 4) * 9 + (dx + 4)] = products.mean()
  return volume


# One pixel, smaller than the window, wider than high, more than a window each way.
SHAPES = [(1, 1, 1, 3), (2, 3, 5, 4), (1, 2, 12, 7), (1, 10, 9, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_matches_the_loop(shape):
  first, second = features(0, shape), features(1, shape)
  volume = jax.jit(cost_volume)(first, second)
  np.testing.assert_allclose(volume, slow_cost_volume(first, second), atol=1e-6)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -2), (-4, 4), (4, 1), (0, -4)])
def test_a_displacement_has_its_own_channel(dx, dy):
  # One lit pixel in each map; a swap of dx and dy or of signs lights another channel.
  first, second = np.zeros((2, 1, 12, 14, 1), np.float32)
  first[0, 6, 7], second[0, 6 + dy, 7 + dx] = 2.0, 3.0
  volume = np.array(cost_volume(first, second))
  assert volume[0, 6, 7, (dy + 4) * 9 + (dx + 4)] == 6.0
  assert np.count_nonzero(volume) == 1


def test_a_shifted_map_matches_itself_best():
  first = features(2, (1, 16, 16, 64))
  second = np.roll(first, (2, -3), axis=(1, 2))  # dy = 2, dx = -3
  best = np.argmax(cost_volume(first, second), axis=-1)
  assert (best[0, 4:-4, 4:-4] == (2 + 4) * 9 + (-3 + 4)).all()


def test_swapping_the_maps_reverses_the_displacements():
  first, second = features(3, (1, 6, 6, 3)), features(4, (1, 6, 6, 3))
  forward = np.asarray(cost_volume(first, second)).reshape(6, 6, 9, 9)
  backward = np.asarray(cost_volume(second, first)).reshape(6, 6, 9, 9)
  for dy in range(-4, 5):
    for dx in range(-4, 5):
      rows = slice(max(0, -dy), 6 - max(0, dy)), slice(max(0, dy), 6 - max(0, -dy))
      columns = slice(max(0, -dx), 6 - max(0, dx)), slice(max(0, dx), 6 - max(0, -dx))
      np.testing.assert_array_equal(
        forward[rows[0], columns[0], dy + 4, dx + 4],
        backward[rows[1], columns[1], 4 - dy, 4 - dx],
      )


def test_is_linear_in_each_map_and_gradients_say_so():
  first, second = features(5, (1, 4, 5, 3)), features(6, (1, 4, 5, 3))
  weight = features(7, (1, 4, 5, 81))

  def total(first, second):
    return jnp.sum(weight * cost_volume(first, second))

  value, gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(first, second)
  # A bilinear form equals its gradient times its argument, on either side.
  for argument, gradient in zip((first, second), gradients, strict=True):
    np.testing.assert_allclose(jnp.vdot(argument, gradient), value, rtol=1e-5)


def test_flat_features_have_finite_values_and_gradients():
  flat = jnp.zeros((1, 4, 4, 2))
  volume, pull_back = jax.vjp(cost_volume, flat, flat)
  assert not volume.any()
  assert all(jnp.isfinite(g).all() for g in pull_back(jnp.ones_like(volume)))


def test_the_shifted_maps_never_exist_at_once():
  shape = jax.ShapeDtypeStruct((1, 48, 96, 32), jnp.float32)
  compiled = jax.jit(cost_volume).lower(shape, shape).compile()
  shifted_copy = 48 * 96 * 32 * 4
  volume = 48 * 96 * 81 * 4
  assert compiled.memory_analysis().temp_size_in_bytes < volume + 4 * shifted_copy


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize(
  ("first", "second"), [((1, 4, 4, 2), (1, 4, 5, 2)), ((4, 4, 2), (4, 4, 2))]
)
def test_refuses_other_shapes(first, second):
  with pytest.raises(ValueError, match="cost_volume needs"):
    cost_volume(jnp.zeros(first), jnp.zeros(second))
