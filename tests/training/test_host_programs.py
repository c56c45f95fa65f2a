"""The pieces inside programs whose JAX is set up in another way.

Types are decided while tracing, so most of these tests compile nothing.
"""

import contextlib
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, PartitionSpec

from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.training.batching import DeviceClip, draw_noise, put_flow, take_batch
from dipvid_jax.training.frame_networks import create_frame_networks, make_fit_frames
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.network_input import moving_noise
from dipvid_jax.training.objective import add_known_features, make_losses
from dipvid_jax.training.step import fit_batch, make_train_step, make_update
from dipvid_jax.types import Batch
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import PixelGenerator, moving_hole, random_video_flow

COUNT, SIZE = 4, (8, 12)
MODEL = EncoderDecoder(flow_channels=4, levels=1)
OPTIMIZER = optax.adam(0.01)


def vgg():
  """VGG16's first layers with few channels."""
  generator = np.random.default_rng(0)
  channels = (3, *[2] * 7)
  return tuple(
    {
      "kernel": np.float32(generator.normal(size=(3, 3, before, after)) / 4),
      "bias": np.zeros(after, np.float32),
    }
    for before, after in itertools.pairwise(channels)
  )


LOSSES = make_losses(vgg=vgg())
WITHOUT_VGG = make_losses(perceptual_weight=0.0)
IMAGE = {"image": LOSSES["image"]}


def a_clip():
  """In NumPy, so that it does not depend on how JAX is set up."""
  generator = np.random.default_rng(0)
  holes = moving_hole(COUNT, SIZE)
  clip = DeviceClip(
    noise=np.float32(generator.uniform(0, 0.1, (COUNT, *SIZE, 1))),
    frames=np.float32(generator.random((COUNT, *SIZE, 3))),
    hole_mask=holes,
    strides=np.array([1], np.int32),
    flow=put_flow(random_video_flow(COUNT, SIZE, (1,)), holes),
  )
  return jax.tree.map(np.asarray, clip)


def a_batch(dtype="float32"):
  """All frames, without features; floating-point arrays of one type."""
  clip = a_clip()
  pairs = {
    "flow": clip.flow.flow[0, 0, :-1],
    "flow_hole": clip.flow.hole[0, 0, :-1],
    "visible": clip.flow.visible[0, 0, :-1],
    "flow_scale": np.float32(2),
  }
  batch = Batch(clip.noise, clip.frames, clip.hole_mask, **pairs)
  converted = jax.tree.map(lambda x: x.astype(jnp.dtype(dtype)), batch)
  return converted._replace(flow_channel=np.int32(0))


def start(batch, key=None):
  key = jax.random.key(1) if key is None else key
  return create_train_state(
    key, model=MODEL, optimizer=OPTIMIZER, sample=batch.noise[:1]
  )


def dtypes(tree):
  return {str(leaf.dtype) for leaf in jax.tree.leaves(tree)}


@contextlib.contextmanager
def both():
  with jax.enable_x64(), jax.numpy_dtype_promotion("strict"):
    yield


SETTINGS = {
  "64 bits": jax.enable_x64,
  "strict promotion": functools.partial(jax.numpy_dtype_promotion, "strict"),
  "both": both,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_types_of_an_update_are_those_without_the_setting(name):
  def visit(clip):
    clip = clip._replace(noise=draw_noise(jax.random.key(0), clip.noise.shape))
    batch = take_batch(clip, np.int32(0), 0, np.int32(1), batch_size=4)
    batch = add_known_features(batch, vgg=vgg())
    step = make_train_step(MODEL, OPTIMIZER, losses=LOSSES)
    return fit_batch(start(batch), batch, train_step=step, inner_steps=2)

  def types():
    return jax.tree.map(lambda x: (x.shape, x.dtype), jax.eval_shape(visit, a_clip()))

  expected = types()
  with SETTINGS[name]():
    assert types() == expected


@pytest.mark.parametrize("name", SETTINGS)
def test_types_of_networks_of_single_frames(name):
  coordinates = np.zeros((COUNT, *SIZE, 2), np.float32)

  def create(key, sample):
    return create_train_state(key, model=MODEL, optimizer=OPTIMIZER, sample=sample)

  def visit(clip):
    noise = moving_noise(jax.random.key(0), coordinates, channels=1)
    clip = clip._replace(noise=noise, flow=None)
    fit_frames = make_fit_frames(
      make_update(MODEL, OPTIMIZER, losses=IMAGE),
      key=jax.random.key(0),
      create_state=create,
      frame_updates=2,
    )
    state = create_frame_networks(jax.random.key(0), clip, create_state=create)
    state = state._replace(step=np.int32(1))  # with the network that it has
    return fit_frames(state, clip, np.zeros((1, 3), np.int32), inner_steps=1)

  with SETTINGS[name]():
    assert dtypes(jax.eval_shape(visit, a_clip())) == {"float32", "int32"}


@pytest.mark.parametrize(
  ("dtype", "kept"),
  [("bfloat16", "float32"), ("float16", "float32"), ("float64", "float64")],
)
def test_the_network_computes_in_the_type_of_its_input(dtype, kept):
  def one_update(batch):
    state = start(batch)
    batch = add_known_features(batch, vgg=vgg())
    outputs = MODEL.apply({"params": state.params}, batch.noise)
    after, _ = make_train_step(MODEL, OPTIMIZER, losses=LOSSES)(state, batch)
    return outputs, after.params

  with jax.enable_x64() if dtype == "float64" else contextlib.nullcontext():
    outputs, params = jax.eval_shape(one_update, a_batch(dtype))
  assert dtypes(outputs) == {dtype}
  assert dtypes(params) == {kept}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_losses_in_half_precision_are_near_those_in_single(dtype):
  @jax.jit
  def losses(batch):
    outputs = MODEL.apply({"params": params}, batch.noise)
    return {name: x.function(outputs, batch) for name, x in WITHOUT_VGG.items()}

  params = start(a_batch()).params
  half, single = losses(a_batch(dtype)), losses(a_batch())
  for name, expected in single.items():
    np.testing.assert_allclose(np.float32(half[name]), expected, rtol=0.05)


def test_updates_under_vmap_are_those_one_by_one():
  """Over networks, and over clips; all their convolutions are traced as well."""
  batch, model, optimizer = a_batch(), PixelGenerator(flow_channels=4), optax.sgd(0.1)
  step = make_train_step(model, optimizer, losses=WITHOUT_VGG)
  keys = jax.random.split(jax.random.key(0), 2)
  states = jax.vmap(
    lambda key: create_train_state(
      key, model=model, optimizer=optimizer, sample=batch.noise[:1]
    )
  )(keys)
  pairs = jax.tree.map(lambda x: np.stack([x, x[::-1] if x.ndim else x]), batch)
  mapped = jax.jit(jax.vmap(step))(states, pairs)
  for index in range(2):
    one = functools.partial(jax.tree.map, lambda x, index=index: x[index])
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
      one(mapped),
      jax.jit(step)(one(states), one(pairs)),
    )
  whole = make_train_step(MODEL, OPTIMIZER, losses=WITHOUT_VGG)
  networks = jax.eval_shape(jax.vmap(lambda key: start(batch, key)), keys)
  after, _ = jax.eval_shape(jax.vmap(whole), networks, pairs)
  assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, networks)


def test_flat_frames_pass_the_search_for_nan():
  """All variances are 0."""
  batch, model = jax.tree.map(np.zeros_like, a_batch()), EncoderDecoder(levels=1)
  state = create_train_state(
    jax.random.key(0), model=model, optimizer=OPTIMIZER, sample=batch.noise[:1]
  )
  with jax.debug_nans(True):
    step = make_train_step(model, OPTIMIZER, losses=IMAGE)
    _, metrics = jax.jit(step)(state, batch)
  assert np.isfinite(metrics["loss"])


@pytest.mark.parametrize("apart", ["frames", "networks"])
def test_gradients_in_shard_map_pass_its_check_of_axes(apart):
  """Devices share a network and divide the frames, or the other way round.

  One device is enough, since types say over which axes an array varies.
  """
  batch = a_batch()
  params = jax.eval_shape(start, batch).params
  varying, same = PartitionSpec("device"), PartitionSpec()

  def loss(params, batch):
    outputs = MODEL.apply({"params": params}, batch.noise)
    return sum(x.weight * x.function(outputs, batch) for x in WITHOUT_VGG.values())

  def of_frames(params, batch):
    return jax.lax.pmean(jax.grad(loss)(params, batch), "device")

  def of_networks(params, batch):
    grads = jax.grad(loss)(jax.tree.map(lambda x: x[0], params), batch)
    return jax.tree.map(lambda x: x[None], grads)

  if apart == "frames":
    per_frame = jax.tree.map(lambda x: varying if x.ndim else same, batch)
    gradient, specs, result = of_frames, (same, per_frame), same
  else:
    gradient, specs, result = of_networks, (varying, same), varying
    params = jax.eval_shape(lambda x: jax.tree.map(lambda y: y[None], x), params)
  mesh = Mesh(np.array(jax.devices()[:1]), ("device",))
  mapped = jax.shard_map(gradient, mesh=mesh, in_specs=specs, out_specs=result)
  grads = jax.eval_shape(mapped, params, batch)
  assert jax.tree.map(jnp.shape, grads) == jax.tree.map(jnp.shape, params)
