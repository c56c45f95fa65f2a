"""The sums that are the gradient of taken pixels: by a scatter, and by sorting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from flow import backward_warp
from flow.taps import take_pixels
from tests.support import oracles

FLAGS = {"scatter": "", "sorted": "--xla_gpu_deterministic_ops=true"}


@pytest.fixture(params=FLAGS)
def form(request, monkeypatch):
  monkeypatch.setenv("XLA_FLAGS", FLAGS[request.param])
  return request.param


def draw(seed=0):
  """Pixels, an index of many and of no pixels, what is inside, and a cotangent."""
  generator = np.random.default_rng(seed)
  index = generator.choice([0, 3, 3, 3, 6, 10], size=(2, 12))
  return (
    generator.normal(size=(2, 11, 3)),
    np.int32(index),
    generator.random((2, 12)) < 0.7,
    generator.normal(size=(2, 12, 3)),
  )


def gradient(pixels, index, inside, cotangent):
  _, pullback = jax.vjp(lambda pixels: take_pixels(pixels, index, inside), pixels)
  return jax.jit(pullback)(cotangent)


@pytest.mark.usefixtures("form")
def test_the_gradient_is_the_sum_of_the_inside_cotangents_of_each_pixel():
  pixels, index, inside, cotangent = draw()
  expected = np.zeros_like(pixels)
  for image, tap in zip(*np.nonzero(inside), strict=True):
    expected[image, index[image, tap]] += cotangent[image, tap]
  (actual,) = oracles.in_float64(gradient, pixels, index, inside, cotangent)
  np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13)


@pytest.mark.usefixtures("form")
def test_nothing_inside_has_no_gradient():
  pixels, index, inside, cotangent = map(jnp.asarray, draw())
  (actual,) = gradient(pixels, index, jnp.zeros_like(inside), cotangent)
  np.testing.assert_array_equal(actual, 0)


@pytest.mark.usefixtures("form")
def test_an_index_outside_may_be_any_number():
  pixels, index, inside, cotangent = map(jnp.asarray, draw())
  for wrong in (-(2**31), -1, 11, 2**31 - 1):
    changed = jnp.where(inside, index, np.int32(wrong))
    taken = take_pixels(pixels, changed, inside)
    expected = jnp.take_along_axis(pixels, index[..., None], 1)
    np.testing.assert_array_equal(taken[inside], expected[inside])
    assert np.isfinite(taken).all()
    np.testing.assert_array_equal(
      *(
        gradient(*map(jnp.asarray, (pixels, i, inside, cotangent)))
        for i in (changed, index)
      )
    )


@pytest.mark.usefixtures("form")
def test_gradients_of_gradients_equal_finite_differences():
  pixels, index, inside, _ = draw()
  index, inside = jnp.asarray(index), jnp.asarray(inside)

  def energy(pixels):
    return jnp.sum(jnp.tanh(take_pixels(pixels, index, inside)) * inside[..., None])

  with jax.enable_x64():
    check_grads(
      jax.jit(energy), (jnp.asarray(pixels),), order=2, modes=["rev"], eps=1e-5
    )


@pytest.mark.usefixtures("form")
def test_gradients_under_vmap_are_those_one_by_one():
  draws = [list(map(jnp.asarray, draw(seed))) for seed in (0, 1)]
  (mapped,) = jax.vmap(gradient)(
    *(jnp.stack(pair) for pair in zip(*draws, strict=True))
  )
  for actual, arguments in zip(mapped, draws, strict=True):
    (expected,) = gradient(*arguments)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_a_warp_has_forward_derivatives():
  image = np.random.default_rng(0).normal(size=(2, 6, 9, 3))
  flow = np.random.default_rng(1).uniform(-3, 3, size=(2, 6, 9, 2))

  def warp(image, flow):
    return backward_warp(image, flow)[0]

  with jax.enable_x64():
    check_grads(jax.jit(warp), (image, flow), order=1, modes=["fwd"], eps=1e-6)


def test_a_deterministic_gradient_has_no_scatter(form):
  """On a GPU XLA would make a loop of it, with a step for every tap."""
  image, flow = (jnp.zeros((2, 6, 9, channels)) for channels in (3, 2))

  def energy(image, flow):
    return jnp.sum(backward_warp(image, flow)[0])

  program = jax.jit(jax.grad(energy, argnums=(0, 1))).trace(image, flow)
  text = program.lower(lowering_platforms=("cuda",)).as_text()
  assert ("stablehlo.scatter" in text) == (form == "scatter")
