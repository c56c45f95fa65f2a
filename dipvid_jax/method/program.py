"""What a config builds: network, optimiser, losses, schedule, compiled functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import LOSSES, follows_scene, generates_flow, reads
from dipvid_jax.method.requirements import Work
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import load_vgg16
from dipvid_jax.training.batching import DeviceClip
from dipvid_jax.training.fit import FitVisits, make_fit_visits
from dipvid_jax.training.frame_networks import (
  best_frames,
  create_frame_networks,
  make_fit_frames,
)
from dipvid_jax.training.objective import add_known_features, make_losses
from dipvid_jax.training.optimization import make_optimizer
from dipvid_jax.training.render import make_render
from dipvid_jax.training.schedule import (
  Visit,
  make_frame_schedule,
  make_schedule,
  usable_strides,
)
from dipvid_jax.training.step import (
  TrainState,
  make_create_state,
  make_train_step,
  make_update,
)
from dipvid_jax.types import Outputs

# Parameters and noises each draw from their own branch of the seed.
PARAMS_KEY, NOISE_KEY = 0, 1


class Program(NamedTuple):
  """What a config builds for clips of T frames.

  Attributes:
    optimizer: with its learning rate.
    model: the generator.
    visits: which batch when.
    create_state: a network's state before its first update, from a key and a noise
      batch.
    start: the state before the first update, of a clip on the device.
    fit_visits: visits, compiled at their first call.
    render: `render(state, clip, on_window=None)` to `Outputs` of NumPy arrays, image
      `[T, H, W, 3]` and the flow of the first stride; compiled at its first call.
  """

  optimizer: optax.GradientTransformation
  model: EncoderDecoder
  visits: list[Visit]
  create_state: Callable[[jax.Array, jax.Array], TrainState]
  start: Callable[[DeviceClip], Any]
  fit_visits: FitVisits
  render: Callable[..., Outputs]


def clip_strides(frame_count: int, *, config: Any) -> tuple[int, ...]:
  """The config's strides at which a clip of `frame_count` frames has a batch.

  Args:
    frame_count: T.
    config: from `load_config`.

  Returns:
    Distances in frames, at least one.

  Raises:
    InputError: the clip is too short for every stride.
  """
  strides = usable_strides(
    frame_count, strides=tuple(config.strides), batch_size=config.batch_size
  )
  if not strides:
    needed = (config.batch_size - 1) * min(config.strides) + 1
    raise InputError(
      f"the clip has {frame_count} frames; a batch of {config.batch_size} at stride "
      f"{min(config.strides)} needs {needed}: use a longer clip or a smaller batch_size"
    )
  return strides


def flow_strides(frame_count: int, *, config: Any) -> tuple[int, ...]:
  """The strides whose known flow the config's method reads.

  Args:
    frame_count: T.
    config: from `load_config`.

  Returns:
    Distances in frames: those of the batches where flow is generated, 1 where the
    run only follows the scene, none for methods without flow.

  Raises:
    InputError: the clip is too short for every stride.
  """
  strides = clip_strides(frame_count, config=config)
  if generates_flow(config):
    return strides
  return (1,) if follows_scene(config) else ()


def build_visits(frame_count: int, *, config: Any) -> list[Visit]:
  """The schedule that a config asks for on a clip of T frames.

  Args:
    frame_count: T.
    config: from `load_config`, checked.

  Returns:
    The visits, as `make_schedule`.

  Raises:
    InputError: the clip is too short for every stride.
  """
  if config.schedule == "frames":
    return make_frame_schedule(
      frame_count,
      updates=_frame_updates(config),
      inner_steps=config.inner_steps,
    )
  return make_schedule(
    frame_count,
    strides=clip_strides(frame_count, config=config),
    batch_size=config.batch_size,
    rounds=config.rounds,
    batches_per_round=config.batches_per_round,
    inner_steps=config.inner_steps,
    seed=config.seed,
    schedule=config.schedule,
    max_updates=config.max_updates,
  )


def _frame_updates(config):
  """Updates of each of DIP's networks."""
  updates = config.batches_per_round * config.inner_steps
  return min(updates, config.max_updates or updates)


def _network_updates(config, visits):
  """Updates of a network, in all."""
  if config.schedule == "frames":
    return _frame_updates(config)
  return sum(visit.updates for visit in visits)


def build_program(
  frame_count: int, *, config: Any, like: Program | None = None
) -> Program:
  """Turns a config into functions; no other library code sees a config.

  Args:
    frame_count: T.
    config: from `load_config`, checked.
    like: a program for T frames whose config had another seed: its compiled functions
      are used again where they do not depend on the seed.

  Returns:
    The program for clips of that length.

  Raises:
    InputError: the clip is too short, or VGG16's weights cannot be read.
  """
  visits = build_visits(frame_count, config=config)
  key = jax.random.fold_in(jax.random.key(config.seed), PARAMS_KEY)
  if like and config.schedule != "frames":
    start = like.create_state
    return like._replace(visits=visits, start=lambda clip: start(key, clip.noise[:1]))
  strides = clip_strides(frame_count, config=config)
  model = EncoderDecoder(
    flow_channels=4 * len(strides) if generates_flow(config) else 0,
    levels=config.levels,
    temporal=config.network == "3d",
    random_scale=config.random_norm_scale,
  )
  updates = _network_updates(config, visits)
  optimizer = make_optimizer(
    config.learning_rate,
    updates=updates,
    schedule=config.learning_rate_schedule,
  )
  losses, prepare_batch = _objective(config)
  create_state = make_create_state(model, optimizer)
  shared: dict[str, Any] = {"optimizer": optimizer, "model": model, "visits": visits}
  if config.schedule == "frames":
    update = make_update(model, optimizer, losses=losses)
    single = _single_frames(config, key, create_state, update, prepare_batch)
    return Program(**shared, create_state=create_state, **single)
  render = make_render(model, batch_size=config.batch_size, flow_channels=2)
  return Program(
    **shared,
    create_state=create_state,
    start=lambda clip: create_state(key, clip.noise[:1]),
    fit_visits=make_fit_visits(
      make_train_step(model, optimizer, losses=losses),
      batch_size=config.batch_size,
      prepare_batch=prepare_batch,
    ),
    render=lambda state, clip, on_window=None: render(
      state.params, clip.noise, on_window
    ),
  )


def _single_frames(config, key, create_state, update, prepare_batch):
  """What DIP, a network for every frame, has of its own in a program."""
  return {
    "start": lambda clip: create_frame_networks(key, clip, create_state=create_state),
    "fit_visits": make_fit_frames(
      update,
      key=key,
      create_state=create_state,
      frame_updates=_frame_updates(config),
      best_of_every=config.best_of_every,
      prepare_batch=prepare_batch,
    ),
    "render": best_frames,
  }


def _objective(config):
  """The losses, and what they need computed once for each batch."""
  vgg = load_vgg16() if reads(config, "perceptual") else None
  vgg_options = {"vgg_input": config.vgg_input, "vgg_dtype": config.vgg_dtype}
  weights: dict[str, Any] = {
    f"{name}_weight": config[f"{name}_weight"] for name in LOSSES
  }
  losses = make_losses(**weights, vgg=vgg, **vgg_options)

  def prepare_batch(batch):
    return batch if vgg is None else add_known_features(batch, vgg=vgg, **vgg_options)

  return losses, prepare_batch


def describe_work(
  program: Program,
  *,
  frame_count: int,
  size: tuple[int, int],
  windows: int,
  config: Any,
) -> Work:
  """What decides the needs of a run.

  Args:
    program: for clips of T frames.
    frame_count: T.
    size: (H, W) of the working frames.
    windows: how many clips of that length are trained on.
    config: from `load_config`, checked.

  Returns:
    The work, for `requirements.needs`.
  """
  noise = jax.ShapeDtypeStruct((1, *size, config.noise_channels), jnp.float32)
  state = jax.eval_shape(program.create_state, jax.random.key(0), noise)
  state_bytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
  return Work(
    frame_count=frame_count,
    window_count=windows,
    size=size,
    stride_count=len(flow_strides(frame_count, config=config)),
    batch_size=config.batch_size,
    levels=config.levels,
    noise_channels=config.noise_channels,
    state_bytes=state_bytes,
    updates=sum(visit.updates for visit in program.visits),
    temporal=config.network == "3d",
    flow_losses=generates_flow(config),
    perceptual=reads(config, "perceptual"),
  )
