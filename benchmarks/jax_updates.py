"""Updates of this program, as the benchmark runs them."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.scene import draw_clip, draw_flow
from benchmarks.ways import COMMAND_BUFFERS, UNROLL, Program, Way
from dipvid_jax.jax_setup import set_xla_flags
from dipvid_jax.method.requirements import flop_a_pixel
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import load_vgg16
from dipvid_jax.training.batching import DeviceClip, draw_noise, put_flow, take_batch
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.objective import add_known_features, make_losses
from dipvid_jax.training.precision import at_precision
from dipvid_jax.training.step import Metrics, TrainStep, fit_batch, make_train_step
from dipvid_jax.types import Batch
from flow.types import TrainState

# One network, or several that one program trains.
_States = TrainState | tuple[TrainState, ...]


def build(way: Way) -> Program:
  """Builds the updates of one batch.

  The batch and its known features are computed outside the timed call: a run
  computes them once for 100 updates.

  Args:
    way: framework `jax`.

  Returns:
    The program.
  """
  flags = _xla_flags(way)
  if way.dry and flags != os.environ.get("XLA_FLAGS", ""):
    _check_flags(flags)
  elif not way.dry:
    os.environ["XLA_FLAGS"] = flags
  set_xla_flags()
  if way.device == "cpu":
    jax.config.update("jax_platforms", "cpu")
  vgg = load_vgg16() if way.losses == "all" else None
  dtype = "bfloat16" if way.variant == "vgg_bfloat16" else None
  losses = make_losses(vgg=vgg, vgg_dtype=dtype, perceptual_weight=0.01 if vgg else 0.0)
  model = EncoderDecoder(flow_channels=12, levels=way.levels)
  optimizer = optax.adam(0.01)
  precision = "highest" if way.variant == "float32" else "default"
  train_step = at_precision(make_train_step(model, optimizer, losses=losses), precision)
  batch = take_batch(_draw_clip(way), 0, 0, 0, batch_size=way.batch_size)
  if vgg:
    add = functools.partial(add_known_features, vgg=vgg, vgg_dtype=dtype)
    batch = jax.jit(add)(batch)._replace(vgg=vgg)
  state = create_train_state(
    jax.random.key(1), model=model, optimizer=optimizer, sample=batch.noise[:1]
  )
  run = _runner(train_step, way)
  states = _copies(state, way)

  def call() -> None:
    nonlocal states
    states, metrics = run(states, batch)
    jax.block_until_ready((states, metrics))

  facts = {
    "precision": _precision(way, dtype),
    "gflop_per_update": gflop_per_update(way),
  }
  stats = jax.devices()[0].memory_stats()
  return Program(call, facts, None if stats is None else _device_peak)


def gflop_per_update(way: Way) -> float:
  """The arithmetic of an update, the same on every device.

  XLA's own count before compilation, which a test holds it to, is for CPUs alone.
  """
  pixels = way.batch_size * way.height * way.width
  flop = flop_a_pixel(levels=way.levels, perceptual=way.losses == "all")
  return round(pixels * flop / 1e9, 1)


def _draw_clip(way: Way) -> DeviceClip:
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


def _copies(state: TrainState, way: Way) -> _States:
  """As many copies of a state as the way trains at a time."""
  if way.variant == "states_vmap":
    return jax.tree.map(lambda x: jnp.stack([x] * way.states), state)
  if way.variant == "states_loop":
    return tuple(jax.tree.map(jnp.copy, state) for _ in range(way.states))
  return state


def _runner(train_step: TrainStep, way: Way) -> Callable[..., tuple[_States, Any]]:
  """The timed function: `(states, batch)` to `(states, metrics)`."""
  if way.variant == "step":
    step = jax.jit(train_step)

    def run(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
      for _ in range(way.updates):
        state, metrics = step(state, batch)
      return state, metrics

    return run

  def loop_step(
    states: Sequence[TrainState], batch: Batch
  ) -> tuple[tuple[TrainState, ...], list[Metrics]]:
    results = [train_step(state, batch) for state in states]
    return tuple(state for state, _ in results), [metrics for _, metrics in results]

  steps: dict[str, Callable[..., Any]] = {
    "states_vmap": jax.vmap(train_step, in_axes=(0, None)),
    "states_loop": loop_step,
  }
  fit = functools.partial(
    fit_batch,
    train_step=steps.get(way.variant, train_step),
    inner_steps=way.updates,
    scan=functools.partial(jax.lax.scan, unroll=UNROLL.get(way.variant, 1)),
  )
  return jax.jit(fit, donate_argnums=0)


def _xla_flags(way: Way) -> str:
  """`XLA_FLAGS` with those of the way."""
  flags = os.environ.get("XLA_FLAGS", "")
  if way.variant not in COMMAND_BUFFERS:
    return flags
  graphs = f"--xla_gpu_enable_command_buffer={COMMAND_BUFFERS[way.variant]}"
  return f"{flags} {graphs}".strip()


@functools.cache
def _check_flags(flags: str) -> None:
  """Lets a process of its own start XLA with flags, which ends at one it rejects.

  XLA knows a GPU's flags, and their values, on a CPU too, where they do nothing.
  """
  done = subprocess.run(
    [sys.executable, "-c", "import jax; jax.devices()"],
    env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
  )
  if done.returncode:
    raise RuntimeError(f"XLA rejects {flags}")


def _precision(way: Way, vgg_dtype: str | None) -> str:
  lowered = way.device == "gpu" and way.variant != "float32"
  convolutions = "TF32 convolutions" if lowered else "float32"
  return convolutions + (f", VGG {vgg_dtype}" if vgg_dtype else "")


def _device_peak() -> int:
  return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
