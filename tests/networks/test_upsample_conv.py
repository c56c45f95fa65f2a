"""Upsampling and convolution in one: the same values as one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.networks.conv import convolve
from dipvid_jax.networks.upsample_conv import upsample_convolve
from tests.support import oracles
from tests.support.compiled import convolutions, is_canonical


def draw_arrays(size):
  normal = np.random.default_rng(0).normal
  return normal(size=(2, *size, 3)), normal(size=(*[3] * len(size), 3, 4))


def one_after_the_other(x, kernel):
  """Every pixel four times, reflection in space, replication in time, convolution."""
  x = jnp.repeat(jnp.repeat(x, 2, axis=-3), 2, axis=-2)
  others = [(0, 0)] * (x.ndim - 3)
  x = jnp.pad(x, [*others, (1, 1), (1, 1), (0, 0)], mode="reflect")
  if x.ndim == 5:
    x = jnp.pad(x, [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)], mode="edge")
  return convolve(x, kernel, strides=(1,) * (x.ndim - 2))


def value_and_gradients(function):
  def energy(x, kernel):
    y = function(x, kernel)
    return jnp.sum(jnp.square(y) * jnp.sin(jnp.arange(y.size)).reshape(y.shape)), y

  def run(x, kernel):
    gradients, y = jax.grad(energy, argnums=(0, 1), has_aux=True)(x, kernel)
    return y, *gradients

  return run


@pytest.mark.parametrize("size", [(5, 7), (1, 2), (3, 4, 2), (1, 2, 3)])
def test_the_same_values_and_gradients_as_one_after_the_other(size):
  arrays = draw_arrays(size)
  results = [
    oracles.in_float64(value_and_gradients(function), *arrays)
    for function in (upsample_convolve, one_after_the_other)
  ]
  for ours, expected in zip(*results, strict=True):
    assert ours.shape == expected.shape and np.abs(expected).max() > 0.1
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(12, 16), (3, 6), (5, 12, 16)])
def test_in_a_scan_all_convolutions_are_canonical(size):
  def body(arguments, _):
    gradients = jax.grad(
      lambda arguments: jnp.sum(jnp.square(upsample_convolve(*arguments)))
    )(arguments)
    return jax.tree.map(lambda a, g: a - 0.01 * g, arguments, gradients), None

  program = jax.jit(lambda arguments: jax.lax.scan(body, arguments, length=3)[0])
  arrays = tuple(map(np.float32, draw_arrays(size)))
  found = convolutions(program.lower(arrays).compile().as_text())
  assert len(found) >= 3  # the value and two gradients
  assert all(map(is_canonical, found)), found


@pytest.mark.parametrize("shape", [(5, 5, 3, 4), (3, 1, 3, 4), (3, 3, 3, 3, 4)])
def test_other_kernels_are_refused(shape):
  with pytest.raises(ValueError, match="3x3"):
    upsample_convolve(jnp.zeros((2, 6, 8, 3)), jnp.zeros(shape))
