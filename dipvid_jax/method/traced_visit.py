"""The program of a run's first call, from the shapes of its arguments alone.

Nothing is computed, so that it can be asked what it takes before there is a clip.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jax.stages import Traced

from dipvid_jax.method.config import Config
from dipvid_jax.method.program import Program, clip_strides
from dipvid_jax.networks.vgg import VGGParams
from dipvid_jax.training.batching import DeviceClip, DeviceFlow
from dipvid_jax.training.fit import FitVisits, group_visits
from dipvid_jax.training.frame_networks import FrameNetworks
from dipvid_jax.types import HasStep


def trace_visit(
  program: Program, *, frame_count: int, size: tuple[int, int], config: Config
) -> Traced:
  """Traces the first call of a run's training, as `fit` makes it.

  Args:
    program: from `build_program` for T frames and this config.
    frame_count: T.
    size: (H, W) of the network's frames.
    config: the run's settings.

  Returns:
    What can be lowered and compiled; `fit` then finds it compiled.
  """
  clip = abstract_clip(frame_count, size, config=config)
  state = abstract_state(program, clip, config=config)
  group = next(group_visits(program.visits, config.training.batches_per_call))
  inner_steps = group[-1].updates
  where: Any = ShapeDtypeStruct((len(group), 3), jnp.int32)
  if config.schedule.per_frame:
    where = ShapeDtypeStruct((), jnp.int32, weak_type=True)  # a Python int
    inner_steps *= len(group)
  function, vgg = _compiled(program.fit_visits)
  return function.trace(vgg, state, clip, where, inner_steps=inner_steps)


def abstract_state(program: Program, clip: DeviceClip, *, config: Config) -> HasStep:
  """The shapes of a run's training state, which `program.start` would compute."""
  one = ShapeDtypeStruct((1, *clip.noise.shape[1:]), clip.noise.dtype)
  network = jax.eval_shape(program.create_state, jax.random.key(0), one)
  if not config.schedule.per_frame:
    return network
  step: Any = ShapeDtypeStruct((), jnp.int32)
  loss: Any = ShapeDtypeStruct(clip.frames.shape[:1], jnp.float32)
  return FrameNetworks(network, step, clip.frames, loss)


def abstract_clip(
  frame_count: int, size: tuple[int, int], *, config: Config
) -> DeviceClip:
  """The shapes of a clip on the device."""
  strides = len(clip_strides(frame_count, config=config))

  def frames(channels: int) -> ShapeDtypeStruct:
    return ShapeDtypeStruct((frame_count, *size, channels), jnp.float32)

  def pairs(channels: int, dtype: Any) -> ShapeDtypeStruct:
    return ShapeDtypeStruct((strides, 2, frame_count, *size, channels), dtype)

  flow: Any = None
  if config.losses.generates_flow:
    scale = ShapeDtypeStruct((strides,), jnp.float32)
    flow = (pairs(2, jnp.float32), pairs(1, jnp.bool_), pairs(1, jnp.bool_), scale)
    flow = DeviceFlow(*flow)
  number = ShapeDtypeStruct((strides,), jnp.int32)
  noise: Any = frames(config.network.noise_channels)
  return DeviceClip(noise, frames(3), frames(1), number, flow)  # type: ignore[arg-type]


def _compiled(fit_visits: FitVisits) -> tuple[Any, VGGParams]:
  """The compiled function in it, and VGG16's weights, its first argument."""
  assert isinstance(fit_visits, functools.partial)
  (first,) = fit_visits.args
  if isinstance(first, functools.partial):
    return _compiled(first)
  return fit_visits.func, first
