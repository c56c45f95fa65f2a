"""The JAX side of the parity tests: NumPy in and out, types kept."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import parity_goldens as goldens
from parity_scene import Scene

from dipvid_jax.batching import DeviceClip, put_flow, take_batch
from dipvid_jax.fit import make_fit_visit
from dipvid_jax.model import EncoderDecoder
from dipvid_jax.objective import add_known_features, make_losses
from dipvid_jax.schedule import BACKWARD, FORWARD
from dipvid_jax.step import TrainState, make_train_step
from dipvid_jax.types import Batch, Outputs
from dipvid_jax.vgg import load_vgg16
from flow import estimate_video_flow


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


def make_model(*, levels: int, out_channels: int, ndim: int = 2) -> EncoderDecoder:
  """The generator by the number of its head's channels."""
  return EncoderDecoder(
    flow_channels=out_channels - 3, levels=levels, temporal=ndim == 3
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


def run_visit(fit_visit, state, clip, *, start, stride_index, forward, updates):
  """Runs the updates of one visit; `(state, metrics)` in NumPy."""
  indices = (start, stride_index, FORWARD if forward else BACKWARD)
  indices = (np.int32(index) for index in indices)
  return as_numpy(fit_visit(state, clip, *indices, inner_steps=updates))


@functools.cache
def golden_updates():
  """The updates of the goldens: `(metrics, params after them)` in NumPy, float64."""
  where, training = goldens.SETTINGS["batch"], goldens.SETTINGS["training"]
  scene, params = goldens.training_inputs(goldens.SETTINGS)
  vgg, optimizer = load_vgg16(), optax.adam(training["learning_rate"])
  model = make_model(levels=training["levels"], out_channels=15)
  fit_visit = make_fit_visit(
    make_train_step(model, optimizer, losses=make_losses(vgg=vgg)),
    batch_size=where["size"],
    prepare_batch=functools.partial(add_known_features, vgg=vgg),
  )
  with precision(64):
    params = as_jax(params)
    state, metrics = run_visit(
      fit_visit,
      TrainState(params, optimizer.init(params), jnp.int32(0)),
      make_clip(scene),
      start=where["start"],
      stride_index=list(scene.flow_scale).index(where["stride"]),
      forward=where["forward"],
      updates=training["updates"],
    )
  return metrics, state.params


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
