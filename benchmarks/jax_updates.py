"""Our updates, as the benchmark runs them."""

import functools
import os

import jax
import jax.numpy as jnp
import optax

from benchmarks.scene import draw_clip, draw_flow
from benchmarks.ways import Program, Way
from dipvid_jax.jax_setup import set_xla_flags
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import load_vgg16
from dipvid_jax.training.batching import DeviceClip, draw_noise, put_flow, take_batch
from dipvid_jax.training.objective import add_known_features, make_losses
from dipvid_jax.training.step import create_train_state, fit_batch, make_train_step

# What CUDA graphs leave out by default.
_COMMAND_BUFFERS = {
  "graph_convolutions": "+CONVOLUTION",
  "graph_loops": "+CONVOLUTION,+WHILE",
}
# `scan`: the updates of a batch in one scan, as `fit` runs them. `step`: one after
# another from Python. The others try one thing each, on a GPU.
VARIANTS = {
  "cpu": ("scan", "step"),
  "gpu": ("scan", "step", "vgg_bfloat16", "unroll_2", "unroll_4", *_COMMAND_BUFFERS),
}


_UNROLL = {"unroll_2": 2, "unroll_4": 4}


def build(way: Way) -> Program:
  """Builds the updates of one batch.

  The batch and its known features are made once, outside the timed call, as in a
  run they are made once for 100 updates.

  Args:
    way: framework `jax`.

  Returns:
    The program.
  """
  if way.variant in _COMMAND_BUFFERS:
    flag = f"--xla_gpu_enable_command_buffer={_COMMAND_BUFFERS[way.variant]}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"
  set_xla_flags()
  if way.device == "cpu":
    jax.config.update("jax_platforms", "cpu")
  vgg = load_vgg16() if way.losses == "all" else None
  dtype = "bfloat16" if way.variant == "vgg_bfloat16" else None
  losses = make_losses(vgg=vgg, vgg_dtype=dtype, perceptual_weight=0.01 if vgg else 0.0)
  model = EncoderDecoder(flow_channels=12, levels=way.levels)
  optimizer = optax.adam(0.01)
  train_step = make_train_step(model, optimizer, losses=losses)
  batch = take_batch(_draw_clip(way), 0, 0, 0, batch_size=way.batch_size)
  if vgg:
    add = functools.partial(add_known_features, vgg=vgg, vgg_dtype=dtype)
    batch = jax.jit(add)(batch)
  state = create_train_state(
    jax.random.key(1), model=model, optimizer=optimizer, sample=batch.noise[:1]
  )
  flops = jax.jit(train_step).lower(state, batch).cost_analysis()["flops"]
  run = _runner(train_step, way)
  state = _several(state, way)

  def call():
    nonlocal state
    state, metrics = run(state, batch)
    jax.block_until_ready((state, metrics))

  facts = {
    "precision": _precision(way, dtype),
    "gflop_per_update": round(flops / 1e9, 1),
  }
  stats = jax.devices()[0].memory_stats()
  return Program(call, facts, None if stats is None else _device_peak)


def _draw_clip(way) -> DeviceClip:
  strides = (1, 3, 5)
  frame_count = way.frames or (way.batch_size - 1) * max(strides) + 1
  size = {"height": way.height, "width": way.width}
  frames, hole_masks = draw_clip(frame_count, **size)
  video_flow = draw_flow(frame_count, **size, strides=strides)
  return DeviceClip(
    noise=draw_noise(jax.random.key(0), (*frames.shape[:3], 1)),
    frames=jnp.asarray(frames),
    hole_mask=jnp.asarray(hole_masks),
    strides=jnp.asarray(strides),
    flow=put_flow(video_flow, hole_masks),
  )


def _several(state, way):
  """As many copies of a state as the way trains at a time."""
  if way.variant == "states_vmap":
    return jax.tree.map(lambda x: jnp.stack([x] * way.states), state)
  if way.variant == "states_loop":
    return tuple(jax.tree.map(jnp.copy, state) for _ in range(way.states))
  return state


def _runner(train_step, way):
  """The timed function: `(state, batch)` to `(state, metrics)`."""
  if way.variant == "step":
    step = jax.jit(train_step)

    def run(state, batch):
      for _ in range(way.updates):
        state, metrics = step(state, batch)
      return state, metrics

    return run

  if way.variant == "states_vmap":
    train_step = jax.vmap(train_step, in_axes=(0, None))
  elif way.variant == "states_loop":
    single = train_step

    def train_step(states, batch):
      results = [single(state, batch) for state in states]
      return tuple(state for state, _ in results), [metrics for _, metrics in results]

  fit = functools.partial(
    fit_batch,
    train_step=train_step,
    inner_steps=way.updates,
    scan=functools.partial(jax.lax.scan, unroll=_UNROLL.get(way.variant, 1)),
  )
  return jax.jit(fit, donate_argnums=0)


def _precision(way, vgg_dtype):
  convolutions = "float32" if way.device == "cpu" else "TF32 convolutions"
  return convolutions + (f", VGG {vgg_dtype}" if vgg_dtype else "")


def _device_peak():
  return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
