"""The JAX side of the parity tests: NumPy in and out, types kept."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import load_vgg16
from dipvid_jax.training.batching import DeviceClip, put_flow, take_batch
from dipvid_jax.training.objective import add_known_features, make_losses
from dipvid_jax.training.schedule import BACKWARD, FORWARD
from dipvid_jax.training.step import TrainState, fit_batch, make_train_step
from dipvid_jax.types import Batch, Outputs
from flow import estimate_video_flow
from tests.parity import parity_goldens as goldens
from tests.parity.parity_scene import Scene


@contextlib.contextmanager
def precision(bits: int):
  """float64, or float32 without shortcuts in products."""
  with jax.enable_x64(bits == 64), jax.default_matmul_precision("highest"):
    yield


def as_jax(tree):
  """Every array of a tree as a JAX array."""
  return jax.tree.map(jnp.asarray, tree)


def as_numpy(tree):
  """Every array of a tree as a NumPy array."""
  return jax.tree.map(np.asarray, tree)


def cast(tree, dtype):
  """Every array of a tree in another type."""
  return jax.tree.map(lambda array: np.asarray(array, dtype), tree)


def raw_outputs(outputs: Outputs) -> jax.Array:
  """Image and flow side by side, `[N, H, W, 3 + F]`."""
  return jnp.concatenate([outputs.image, outputs.flow], axis=-1)


def make_model(
  *, levels: int, out_channels: int, ndim: int = 2, second_kernel: int = 1
) -> EncoderDecoder:
  """The generator by the number of its head's channels."""
  return EncoderDecoder(
    flow_channels=out_channels - 3,
    levels=levels,
    temporal=ndim == 3,
    second_kernel=second_kernel,
  )


# Most of these tests' time would be LLVM's; XLA's passes, layouts and convolutions
# stay as they are.
QUICK_COMPILE = {"xla_backend_optimization_level": 0}


def make_clip(scene: Scene) -> DeviceClip:
  """The scene on the device, its flow as if an estimator had found it."""
  strides = tuple(scene.flow_scale)
  known = estimate_video_flow(
    scene.frames, strides=strides, estimator=_KnownFlow(scene)
  )
  flow = put_flow(known, scene.hole_mask)
  # A run stores flow as float32, which holds the scene's to the last bit; dividing
  # by the scale is to happen in the scene's type.
  dtype = scene.frames.dtype
  flow = flow._replace(flow=flow.flow.astype(dtype), scale=flow.scale.astype(dtype))
  return DeviceClip(
    noise=jnp.asarray(scene.noise),
    frames=jnp.asarray(scene.frames),
    hole_mask=jnp.asarray(scene.hole_mask),
    strides=jnp.asarray(strides, jnp.int32),
    flow=flow,
  )


class _KnownFlow:
  """An estimator that recognises the scene's frames."""

  pairs_per_call = 1

  def __init__(self, scene: Scene):
    self.scene = scene

  def __call__(self, first, second):
    pair = tuple(
      next(t for t, known in enumerate(self.scene.frames) if (known == frame[0]).all())
      for frame in (first, second)
    )
    return self.scene.flow[pair][None]


def make_batch(
  scene: Scene, *, start: int, stride: int, forward: bool, size: int = 5
) -> Batch:
  """The batch that a run would gather from the scene."""
  return take_batch(
    make_clip(scene),
    start,
    list(scene.flow_scale).index(stride),
    FORWARD if forward else BACKWARD,
    batch_size=size,
  )


def make_run(losses, optimizer, *, levels, size, updates, vgg=None):
  """Compiles the updates on one batch, as a run does them, scan and all.

  Returns:
    `run(scene, params, start, stride, forward)` to `(metrics, params)` in NumPy.
  """
  model = make_model(levels=levels, out_channels=15)
  train_step = make_train_step(model, optimizer, losses=losses)

  @jax.jit
  def fit(state, clip, start, stride_index, direction):
    batch = take_batch(clip, start, stride_index, direction, batch_size=size)
    if vgg is not None:
      batch = add_known_features(batch, vgg=vgg)
    return fit_batch(state, batch, train_step=train_step, inner_steps=updates)

  def run(scene, params, *, start, stride, forward):
    params = as_jax(params)
    state = TrainState(params, optimizer.init(params), jnp.int32(0))
    stride_index = list(scene.flow_scale).index(stride)
    direction = FORWARD if forward else BACKWARD
    indices = (np.int32(i) for i in (start, stride_index, direction))
    state, metrics = as_numpy(fit(state, make_clip(scene), *indices))
    return metrics, state.params

  return run


@functools.cache
def golden_updates():
  """The updates of the goldens: `(metrics, params after them)` in NumPy, float64."""
  where, training = goldens.SETTINGS["batch"], goldens.SETTINGS["training"]
  scene, params = goldens.training_inputs(goldens.SETTINGS)
  vgg, where = load_vgg16(), dict(where)
  run = make_run(
    make_losses(vgg=vgg),
    optax.adam(training["learning_rate"]),
    levels=training["levels"],
    size=where.pop("size"),
    updates=training["updates"],
    vgg=vgg,
  )
  with precision(64):
    return run(scene, params, **where)


def forward_and_gradients(model, params, noise, cotangent):
  """Outputs, and the gradients of their product with `cotangent`.

  Returns:
    `(outputs [N, H, W, C], gradients of params, gradient of noise)` in NumPy.
  """

  @functools.partial(jax.jit, compiler_options=QUICK_COMPILE)
  def run(params, noise, cotangent):
    def function(params, noise):
      outputs = raw_outputs(model.apply({"params": params}, noise))
      return jnp.sum(outputs * cotangent), outputs

    grads, outputs = jax.grad(function, argnums=(0, 1), has_aux=True)(params, noise)
    return outputs, *grads

  return as_numpy(run(*as_jax((params, noise, cotangent))))
