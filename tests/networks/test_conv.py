"""Convolution and its hand-written gradients, against JAX's own and in the program."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dipvid_jax.networks.conv import convolve
from tests.support import oracles
from tests.support.compiled import convolutions, is_canonical

LAYOUTS = {4: ("NHWC", "HWIO", "NHWC"), 5: ("NDHWC", "DHWIO", "NDHWC")}
# Input size, kernel, strides, zero padding; even and odd sizes, windows that fit
# exactly and windows that leave one or two rows over.
CASES = [
  ((6, 8), (1, 1), (1, 1), 0),
  ((6, 8), (1, 1), (2, 2), 0),
  ((6, 8), (3, 3), (1, 1), 0),
  ((7, 6), (3, 3), (1, 1), 1),
  ((7, 8), (3, 3), (2, 2), 1),
  ((8, 9), (5, 5), (1, 1), 0),
  ((8, 9), (5, 5), (2, 2), 0),
  ((9, 8), (5, 5), (2, 2), 2),
  ((9, 10), (3, 3), (3, 3), 1),
  ((8, 9), (3, 5), (1, 2), 0),
  ((4, 6, 7), (3, 3, 3), (1, 1, 1), 0),
  ((5, 8, 9), (3, 5, 5), (1, 2, 2), 0),
  ((5, 7, 6), (3, 5, 5), (1, 1, 1), 1),
  ((3, 4, 5), (1, 1, 1), (1, 1, 1), 0),
  # Results smaller than the kernel.
  ((7, 8), (5, 5), (1, 1), 0),
  ((8, 9), (5, 5), (2, 2), 1),
  ((3, 7, 8), (3, 5, 5), (1, 2, 2), 0),
]


def plain(x, kernel, *, strides, zero_padding=0):
  """The same convolution with JAX's own gradients."""
  padding = [(zero_padding, zero_padding)] * len(strides)
  return lax.conv_general_dilated(
    x, kernel, strides, padding, dimension_numbers=LAYOUTS[x.ndim]
  )


def draw(size, kernel_size, seed=0):
  generator = np.random.default_rng(seed)
  x = generator.normal(size=(2, *size, 3))
  return x, generator.normal(size=(*kernel_size, 3, 4))


@pytest.mark.parametrize(("size", "kernel_size", "strides", "padding"), CASES)
def test_value_and_gradients_equal_jax(size, kernel_size, strides, padding):
  def with_gradients(function):
    def run(x, kernel, cotangent):
      def apply(x, kernel):
        return function(x, kernel, strides=strides, zero_padding=padding)

      result, pullback = jax.vjp(apply, x, kernel)
      return result, pullback(cotangent)

    return run

  x, kernel = draw(size, kernel_size)
  shape = oracles.in_float64(
    lambda x, k: plain(x, k, strides=strides, zero_padding=padding), x, kernel
  ).shape
  cotangent = np.random.default_rng(1).normal(size=shape)
  ours = oracles.in_float64(with_gradients(convolve), x, kernel, cotangent)
  expected = oracles.in_float64(with_gradients(plain), x, kernel, cotangent)
  for actual, other in zip(*map(jax.tree.leaves, (ours, expected)), strict=True):
    assert actual.shape == other.shape and actual.dtype == np.float64
    np.testing.assert_allclose(actual, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [((9, 10), 2), ((7, 8), 1)])
def test_second_derivatives_equal_jax(size, stride):
  """For those who differentiate through an update."""

  def curvature(function):
    def energy(x, kernel):
      return jnp.sum(jnp.tanh(function(x, kernel, strides=(stride, stride))))

    def length(x, kernel):
      gradients = jax.grad(energy, argnums=(0, 1))(x, kernel)
      return sum(jnp.sum(jnp.sin(gradient)) for gradient in gradients)

    return jax.grad(length, argnums=(0, 1))

  ours, expected = (
    oracles.in_float64(curvature(function), *draw(size, (5, 5)))
    for function in (convolve, plain)
  )
  for actual, other in zip(ours, expected, strict=True):
    np.testing.assert_allclose(actual, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
def test_value_agrees_with_the_loop(stride):
  x, kernel = draw((8, 9), (5, 5))
  actual = oracles.in_float64(
    lambda x, k: convolve(x, k, strides=(stride, stride)), x, kernel
  )
  expected = oracles.convolve(x, kernel, stride=stride)
  np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize(
  ("x_shape", "kernel_shape", "strides", "said"),
  [
    ((2, 6, 8, 3), (3, 3, 4, 5), (1, 1), "3 channels, the kernel takes 4"),
    ((2, 6, 8, 3), (3, 3, 3, 3, 5), (1, 1), "equal rank"),
    ((2, 6, 8, 3), (3, 3, 3, 5), (1, 1, 1), "a stride for each"),
    ((6, 8, 3), (3, 3, 5), (1,), "equal rank"),
  ],
)
def test_shapes_that_do_not_fit_are_refused(x_shape, kernel_shape, strides, said):
  with pytest.raises(ValueError, match=said):
    convolve(jnp.zeros(x_shape), jnp.zeros(kernel_shape), strides=strides)


def compiled_scan(function, size, kernel_size, strides):
  """Gradient descent on both arguments in a scan, as XLA compiles it."""

  def energy(arguments):
    return jnp.sum(jnp.square(function(*arguments, strides=strides, zero_padding=1)))

  def body(arguments, _):
    gradients = jax.grad(energy)(arguments)
    return jax.tree.map(lambda a, g: a - 0.01 * g, arguments, gradients), None

  x, kernel = map(np.float32, draw(size, kernel_size))
  program = jax.jit(lambda arguments: lax.scan(body, arguments, length=3)[0])
  return program.lower((x, kernel)).compile().as_text()


GRADIENT_CASES = [
  ((12, 16), (3, 3), (1, 1)),
  ((12, 16), (5, 5), (2, 2)),
  ((5, 12, 16), (3, 5, 5), (1, 2, 2)),
  # The deepest map of the network, 3 x 6, is smaller than its kernel.
  ((5, 8), (5, 5), (1, 1)),
  ((8, 14), (5, 5), (2, 2)),
]


@pytest.mark.parametrize(("size", "kernel_size", "strides"), GRADIENT_CASES)
def test_gradients_in_a_scan_are_canonical_convolutions(size, kernel_size, strides):
  found = convolutions(compiled_scan(convolve, size, kernel_size, strides))
  assert len(found) >= 3  # the value and two gradients
  assert all(map(is_canonical, found)), found


@pytest.mark.parametrize(("size", "kernel_size", "strides"), GRADIENT_CASES)
def test_jax_own_gradients_in_a_scan_are_not(size, kernel_size, strides):
  """Without this the test above would prove nothing; if it fails, XLA has improved."""
  found = convolutions(compiled_scan(plain, size, kernel_size, strides))
  assert not all(map(is_canonical, found)), found


def lowered_gradients(function, arrays, platforms, **settings):
  """Gradient of the sum of squares, for some platforms: its program and layouts."""

  def energy(*arrays):
    return jnp.sum(jnp.square(function(*arrays, **settings)))

  gradients = jax.jit(jax.grad(energy, argnums=(0, 1)))
  program = jax.export.export(gradients, platforms=platforms)(*arrays)
  layouts = re.findall(r"dim_numbers = (\[.*?\]x\[.*?\])", program.mlir_module())
  return program, set(layouts)


@pytest.mark.parametrize("size", [(8, 9), (3, 8, 9)])
def test_one_export_for_two_platforms_has_the_form_of_each(size):
  settings = {"strides": (1,) * len(size), "zero_padding": 1}
  arrays = [jnp.asarray(x, jnp.float32) for x in draw(size, (3,) * len(size))]
  (_, on_cpu), (_, on_gpu), (program, on_both) = (
    lowered_gradients(convolve, arrays, platforms, **settings)
    for platforms in (("cpu",), ("cuda",), ("cpu", "cuda"))
  )
  assert on_cpu == {"[b, 0, 1, f]x[0, 1, i, o]"}
  _, jax_own = lowered_gradients(plain, arrays, ("cuda",), **settings)
  assert on_gpu == jax_own and len(on_gpu) == 3
  assert on_both == on_cpu | on_gpu
  expected, _ = lowered_gradients(plain, arrays, ("cpu",), **settings)
  for ours, other in zip(program.call(*arrays), expected.call(*arrays), strict=True):
    np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-3)
