"""The generator: its size, its initial numbers, and a plain rendering of its graph."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.networks.generator import (
  CHANNELS,
  BatchNorm,
  Conv,
  ConvBlock,
  EncoderDecoder,
)
from dipvid_jax.training.initial_state import create_train_state
from tests.support import oracles


def shapes_of(model, size=(192, 384)):
  noise = jax.ShapeDtypeStruct((5, *size, 1), jnp.float32)
  return jax.eval_shape(model.init, jax.random.key(0), noise)


def count(model):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes_of(model)))


def random_params(model, size, *, seed=0):
  """Parameters in float64 around one, so that every one of them matters."""
  generator = np.random.default_rng(seed)
  return jax.tree.map(
    lambda leaf: generator.normal(0.2, 0.5, leaf.shape), shapes_of(model, size)
  )["params"]


@pytest.mark.parametrize(
  ("settings", "expected"),
  [
    ({"flow_channels": 12}, 3_072_139),
    ({}, 3_071_935),
    ({"temporal": True}, 9_089_119),
  ],
)
def test_has_the_number_of_parameters_of_the_authors_network(settings, expected):
  assert count(EncoderDecoder(**settings)) == expected


@pytest.mark.parametrize("temporal", [False, True])
def test_keeps_the_size_and_has_no_state_but_parameters(temporal):
  model = EncoderDecoder(flow_channels=8, levels=2, temporal=temporal)
  noise = jax.ShapeDtypeStruct((4, 12, 20, 1), jnp.float32)
  variables = jax.eval_shape(model.init, jax.random.key(0), noise)
  assert set(variables) == {"params"}
  outputs = jax.eval_shape(model.apply, variables, noise)
  assert outputs.image.shape == (4, 12, 20, 3)
  assert outputs.flow.shape == (4, 12, 20, 8)
  assert outputs.image.dtype == outputs.flow.dtype == jnp.float32


def test_the_sizes_of_the_kernels_are_those_of_the_method():
  params = shapes_of(EncoderDecoder(temporal=True))["params"]
  kernels = {
    name: module["conv"]["kernel"].shape
    for name, module in params.items()
    if "conv" in module
  }
  assert kernels["skip_2"] == (1, 1, 1, 32, 4)
  assert kernels["down_2_a"] == (3, 5, 5, 32, 64)
  assert kernels["down_2_b"] == (3, 5, 5, 64, 64)
  assert kernels["up_2_a"] == (3, 3, 3, 132, 64)
  assert kernels["up_2_b"] == (1, 1, 1, 64, 64)
  assert kernels["up_5_a"] == (3, 3, 3, 132, 128)


def batch_norm(x, scale, offset):
  mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
  return (x - mean) / np.sqrt(variance + 1e-5) * scale + offset


def generator(params, x, *, levels):
  """The method's words, level by level, in NumPy."""

  def conv(x, kernel, bias, stride=1):
    width = kernel.shape[0] // 2
    space = [(0, 0), (width, width), (width, width), (0, 0)]
    return oracles.convolve(np.pad(x, space, "reflect"), kernel, stride=stride) + bias

  def cbl(x, name, stride=1):
    conv_params, norm_params = params[name]["conv"], params[name]["norm"]
    x = conv(x, conv_params["kernel"], conv_params["bias"], stride)
    x = batch_norm(x, norm_params["scale"], norm_params["bias"])
    return np.where(x > 0, x, 0.2 * x)

  def level(i, x):
    skip = cbl(x, f"skip_{i}")
    h = cbl(x, f"down_{i}_a", stride=2)
    h = cbl(h, f"down_{i}_b")
    if i + 1 < levels:
      h = level(i + 1, h)
    h = h.repeat(2, axis=1).repeat(2, axis=2)
    merge = params[f"merge_{i}"]
    y = batch_norm(np.concatenate([skip, h], axis=-1), merge["scale"], merge["bias"])
    return cbl(cbl(y, f"up_{i}_a"), f"up_{i}_b")

  heads = conv(level(0, x), params["heads"]["kernel"], params["heads"]["bias"])
  return 1 / (1 + np.exp(-heads[..., :3])), heads[..., 3:]


def test_agrees_with_the_plain_rendering():
  model, size = EncoderDecoder(flow_channels=4, levels=2), (12, 16)
  params = random_params(model, size)
  noise = np.random.default_rng(1).uniform(0, 0.1, (3, *size, 1))
  outputs = oracles.in_float64(
    lambda p, x: model.apply({"params": p}, x), params, noise
  )
  image, flow = generator(params, noise, levels=2)
  np.testing.assert_allclose(outputs.image, image, rtol=0, atol=1e-10)
  np.testing.assert_allclose(outputs.flow, flow, rtol=0, atol=1e-10)
  assert image.std() > 0.05 and flow.std() > 0.05


def test_batch_norm_uses_the_biased_variance_of_the_batch():
  """At a variance near epsilon, so that both constants show."""
  x = np.random.default_rng(0).normal(2, 0.004, (2, 2, 3, 4))
  scale, offset = np.random.default_rng(1).normal(size=(2, 4))
  variables = {"params": {"scale": scale, "bias": offset}}
  (actual,) = oracles.in_float64(BatchNorm().apply, variables, x)
  expected = batch_norm(x, scale, offset)
  np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)


def test_batch_norm_of_a_volume_pools_over_time_too():
  x = np.random.default_rng(0).normal(size=(1, 3, 4, 5, 2))
  variables = {"params": {"scale": np.ones(2), "bias": np.zeros(2)}}
  (actual,) = oracles.in_float64(BatchNorm().apply, variables, x)
  assert np.abs(actual.mean(axis=(0, 1, 2, 3))).max() < 1e-12
  assert np.abs(actual.var(axis=(0, 1, 2, 3)) - 1).max() < 1e-4
  assert np.abs(actual.mean(axis=(0, 2, 3))).max() > 0.01


def test_batch_norm_has_finite_gradients_on_flat_input():
  x, scale = jnp.full((2, 3, 4, 5), 0.3), jnp.ones(5)

  def energy(x):
    variables = {"params": {"scale": scale, "bias": jnp.zeros(5)}}
    (y,) = BatchNorm().apply(variables, x)
    return jnp.sum(jnp.square(y))

  assert np.isfinite(jax.grad(energy)(x)).all()


def apply_ones_kernel(x, kernel_size):
  kernel = np.ones((*kernel_size, x.shape[-1], 1))
  variables = {"params": {"kernel": kernel, "bias": np.zeros(1)}}
  return oracles.in_float64(Conv(1, kernel_size).apply, variables, x)


def test_space_is_padded_by_reflection():
  x = np.random.default_rng(0).normal(size=(2, 4, 6, 1))
  padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
  expected = oracles.convolve(padded, np.ones((5, 5, 1, 1)))
  np.testing.assert_allclose(apply_ones_kernel(x, (5, 5)), expected, atol=1e-12)


def test_time_is_padded_by_replication():
  x = np.random.default_rng(0).normal(size=(1, 4, 5, 6, 1))
  padded = np.pad(x, [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)], mode="edge")
  expected = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
  np.testing.assert_allclose(apply_ones_kernel(x, (3, 1, 1)), expected, atol=1e-12)


@pytest.fixture(scope="module")
def initial():
  state = create_train_state(
    jax.random.key(0),
    model=EncoderDecoder(flow_channels=12, levels=2),
    optimizer=optax.sgd(0.1),
    sample=jnp.zeros((1, 12, 12, 1)),
  )
  return state.params


def test_kernels_and_biases_start_uniform_up_to_the_root_of_fan_in(initial):
  names = [name for name in initial if "conv" in initial[name]]
  convs = [initial[name]["conv"] for name in names] + [initial["heads"]]
  pooled = []
  for conv in convs:
    bound = 1 / math.sqrt(math.prod(conv["kernel"].shape[:-1]))
    for values in (np.asarray(conv["kernel"]), np.asarray(conv["bias"])):
      assert np.abs(values).max() <= bound
      pooled.append(values.ravel() / bound)
  share, _ = np.histogram(np.concatenate(pooled), bins=10, range=(-1, 1))
  np.testing.assert_allclose(share / share.sum(), 0.1, atol=0.005)
  biases = np.concatenate(pooled[1::2])  # few: only their spread is checked
  assert 0.5 < biases.std() < 0.65 and abs(biases.mean()) < 0.1


def test_normalisation_starts_as_the_identity(initial):
  norms = [module["norm"] for module in initial.values() if "norm" in module]
  norms += [module for name, module in initial.items() if name.startswith("merge")]
  assert len(norms) == 2 * 6
  for norm in norms:
    assert (np.asarray(norm["scale"]) == 1).all()
    assert (np.asarray(norm["bias"]) == 0).all()


def test_random_scale_draws_it_between_0_and_1():
  block = ConvBlock(64, (1, 1), random_scale=True)
  params = block.init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))["params"]
  scale = np.asarray(params["norm"]["scale"])
  assert scale.min() >= 0 and scale.max() <= 1
  assert len(np.unique(scale)) == 64 and 0.4 < scale.mean() < 0.6


@pytest.fixture(scope="module")
def small():
  """`(apply, noise)` of a small network with fixed parameters, in float64."""

  def make(*, temporal):
    model = EncoderDecoder(levels=1, temporal=temporal)
    params = random_params(model, (8, 12))
    noise = np.random.default_rng(2).uniform(0, 0.1, (4, 8, 12, 1))

    def apply(noise):
      return oracles.in_float64(
        lambda p, x: model.apply({"params": p}, x).image, params, noise
      )

    return apply, noise

  return make


def test_each_frame_depends_on_the_others_of_its_batch(small):
  apply, noise = small(temporal=False)
  changed = noise.copy()
  changed[3] *= 2
  assert np.abs(apply(changed)[0] - apply(noise)[0]).max() > 1e-4


@pytest.mark.parametrize(("temporal", "same"), [(False, True), (True, False)])
def test_the_order_of_frames_matters_to_3d_convolutions_alone(small, temporal, same):
  apply, noise = small(temporal=temporal)
  order = [2, 0, 3, 1]
  difference = np.abs(apply(noise[order]) - apply(noise)[order]).max()
  assert (difference < 1e-12) == same


@pytest.mark.parametrize(
  ("levels", "shape", "said"),
  [
    (6, (5, 128, 384, 1), "multiples of 64 and at least 192"),
    (6, (5, 200, 384, 1), "multiples of 64 .* got 200 x 384"),
    (3, (5, 24, 44, 1), "multiples of 8"),
    (2, (24, 48, 1), r"must be \[N, H, W, C\]"),
    (0, (5, 24, 48, 1), "levels must be 1 to 6, got 0"),
    (len(CHANNELS) + 1, (5, 384, 384, 1), "levels must be 1 to 6, got 7"),
  ],
)
def test_sizes_that_do_not_fit_are_refused(levels, shape, said):
  noise = jax.ShapeDtypeStruct(shape, jnp.float32)
  with pytest.raises(ValueError, match=said):
    jax.eval_shape(EncoderDecoder(levels=levels).init, jax.random.key(0), noise)


@pytest.mark.parametrize(("levels", "size"), [(6, (192, 384)), (5, (96, 192))])
def test_the_smallest_documented_sizes_fit(levels, size):
  shapes_of(EncoderDecoder(levels=levels), size)
