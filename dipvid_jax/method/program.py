"""What a config builds: network, optimiser, losses, schedule, compiled functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config, needed_frames
from dipvid_jax.method.network_frames import network_frames
from dipvid_jax.method.requirements import Work
from dipvid_jax.method.settings import LossWeights
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import VGGParams, load_vgg16
from dipvid_jax.training.batching import DeviceClip
from dipvid_jax.training.fit import FitVisits, make_fit_visits
from dipvid_jax.training.frame_networks import (
  best_frames,
  create_frame_networks,
  make_fit_frames,
)
from dipvid_jax.training.initial_state import CreateState, make_create_state
from dipvid_jax.training.objective import Losses, add_known_features, make_losses
from dipvid_jax.training.optimization import make_optimizer
from dipvid_jax.training.precision import at_precision
from dipvid_jax.training.render import make_render
from dipvid_jax.training.schedule import (
  Visit,
  make_frame_schedule,
  make_schedule,
  usable_strides,
)
from dipvid_jax.training.step import TrainState, make_train_step, make_update
from dipvid_jax.types import Batch, HasStep, Outputs

# Parameters and noises each draw from their own branch of the seed.
PARAMS_KEY, NOISE_KEY = 0, 1

PrepareBatch = Callable[[Batch], Batch]


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
  create_state: CreateState
  start: Callable[[DeviceClip], HasStep]
  fit_visits: FitVisits
  render: Callable[..., Outputs]


def clip_strides(frame_count: int, *, config: Config) -> tuple[int, ...]:
  """The config's strides at which a clip of `frame_count` frames has a batch.

  Args:
    frame_count: T.
    config: the run's settings.

  Returns:
    Distances in frames, at least one.

  Raises:
    InputError: the clip is too short for every stride.
  """
  schedule = config.schedule
  strides = usable_strides(
    frame_count, strides=schedule.strides, batch_size=schedule.batch_size
  )
  if not strides:
    raise InputError(
      f"the clip has {frame_count} frames; a batch of {schedule.batch_size} at stride "
      f"{min(schedule.strides)} needs {needed_frames(config)}: use a longer clip or a "
      "smaller batch_size"
    )
  return strides


def flow_strides(frame_count: int, *, config: Config) -> tuple[int, ...]:
  """The strides whose known flow the config's method reads.

  Args:
    frame_count: T.
    config: the run's settings.

  Returns:
    Distances in frames: those of the batches where flow is generated, 1 where the
    run only follows the scene, none for methods without flow.

  Raises:
    InputError: the clip is too short for every stride.
  """
  strides = clip_strides(frame_count, config=config)
  if config.losses.generates_flow:
    return strides
  return (1,) if config.follows_scene else ()


def build_visits(frame_count: int, *, config: Config) -> list[Visit]:
  """The schedule that a config asks for on a clip of T frames.

  Args:
    frame_count: T.
    config: the run's settings.

  Returns:
    The visits, as `make_schedule`.

  Raises:
    InputError: the clip is too short for every stride.
  """
  schedule = config.schedule
  if schedule.per_frame:
    return make_frame_schedule(
      frame_count,
      updates=_frame_updates(config),
      inner_steps=schedule.inner_steps,
    )
  return make_schedule(
    frame_count,
    strides=clip_strides(frame_count, config=config),
    batch_size=schedule.batch_size,
    rounds=schedule.rounds,
    batches_per_round=schedule.batches_per_round,
    inner_steps=schedule.inner_steps,
    seed=config.seed,
    schedule=schedule.schedule,
    max_updates=schedule.max_updates,
  )


def _frame_updates(config: Config) -> int:
  """Updates of each of DIP's networks."""
  schedule = config.schedule
  updates = schedule.batches_per_round * schedule.inner_steps
  return min(updates, schedule.max_updates or updates)


def build_program(
  frame_count: int, *, config: Config, like: Program | None = None
) -> Program:
  """Turns a config into functions; the training itself never sees one.

  Args:
    frame_count: T.
    config: the run's settings.
    like: a program for T frames whose config had another seed; its compiled functions
      are reused where they do not depend on the seed.

  Returns:
    The program for clips of that length.

  Raises:
    InputError: the clip is too short, or VGG16's weights cannot be read.
  """
  visits = build_visits(frame_count, config=config)
  key = jax.random.fold_in(jax.random.key(config.seed), PARAMS_KEY)
  if like and not config.schedule.per_frame:
    return like._replace(visits=visits, start=_start(key, like.create_state))
  model = _build_model(frame_count, config)
  optimizer = make_optimizer(
    config.training.learning_rate,
    updates=_network_updates(config, visits),
    schedule=config.training.learning_rate_schedule,
  )
  precision = config.training.matmul_precision
  losses, prepare_batch, vgg = _objective(config.losses)
  prepare_batch = at_precision(prepare_batch, precision)
  create_state = make_create_state(model, optimizer)
  if config.schedule.per_frame:
    return Program(
      optimizer=optimizer,
      model=model,
      visits=visits,
      create_state=create_state,
      start=lambda clip: create_frame_networks(key, clip, create_state=create_state),
      fit_visits=make_fit_frames(
        at_precision(make_update(model, optimizer, losses=losses), precision),
        key=key,
        create_state=create_state,
        frame_updates=_frame_updates(config),
        best_of_every=config.training.best_of_every,
        prepare_batch=prepare_batch,
        vgg=vgg,
      ),
      render=best_frames,
    )
  batch_size = config.schedule.batch_size
  render = at_precision(
    make_render(model, batch_size=batch_size, flow_channels=2), precision
  )
  return Program(
    optimizer=optimizer,
    model=model,
    visits=visits,
    create_state=create_state,
    start=_start(key, create_state),
    fit_visits=make_fit_visits(
      at_precision(make_train_step(model, optimizer, losses=losses), precision),
      batch_size=batch_size,
      prepare_batch=prepare_batch,
      vgg=vgg,
    ),
    render=lambda state, clip, on_window=None: render(
      state.params, clip.noise, on_window
    ),
  )


def _start(
  key: jax.Array, create_state: CreateState
) -> Callable[[DeviceClip], TrainState]:
  return lambda clip: create_state(key, clip.noise[:1])


def _build_model(frame_count: int, config: Config) -> EncoderDecoder:
  strides = clip_strides(frame_count, config=config)
  return EncoderDecoder(
    flow_channels=4 * len(strides) if config.losses.generates_flow else 0,
    levels=config.network.levels,
    temporal=config.network.network == "3d",
    random_scale=config.network.random_norm_scale,
    second_kernel=config.network.second_kernel,
    initialization=config.network.initialization,
  )


def _network_updates(config: Config, visits: list[Visit]) -> int:
  """Updates of a network, in all."""
  if config.schedule.per_frame:
    return _frame_updates(config)
  return sum(visit.updates for visit in visits)


def _objective(weights: LossWeights) -> tuple[Losses, PrepareBatch, VGGParams]:
  """The losses, what they need computed once for each batch, and VGG16's weights.

  Batches bring the weights, as an argument of what is compiled: 7 MB of constants
  would be in every program and in every one that is kept on disk.
  """
  vgg = load_vgg16() if weights.perceptual_weight else ()
  convention, dtype = weights.vgg_input, weights.vgg_dtype
  losses = make_losses(
    image_weight=weights.image_weight,
    flow_weight=weights.flow_weight,
    consistency_weight=weights.consistency_weight,
    perceptual_weight=weights.perceptual_weight,
    vgg=vgg,
    vgg_input=convention,
    vgg_dtype=dtype,
    consistency_both_ways=weights.consistency_both_ways,
  )

  def prepare_batch(batch: Batch) -> Batch:
    if not batch.vgg:
      return batch
    return add_known_features(
      batch,
      vgg=batch.vgg,
      vgg_input=convention,
      vgg_dtype=dtype,
      mask_form=weights.perceptual_mask,
    )

  return losses, prepare_batch, vgg


def describe_work(
  program: Program,
  *,
  frame_count: int,
  size: tuple[int, int],
  windows: int,
  config: Config,
) -> Work:
  """What decides the needs of a run.

  Args:
    program: for clips of T frames.
    frame_count: T.
    size: (H, W) of the clip's frames, as `inpaint_video` gets them.
    windows: how many clips of that length are trained on.
    config: the run's settings.

  Returns:
    The work, for `requirements.needs`.
  """
  network = config.network
  network_size = network_frames(size, config=config).placement.size
  noise = jax.ShapeDtypeStruct((1, *network_size, network.noise_channels), jnp.float32)
  state = jax.eval_shape(program.create_state, jax.random.key(0), noise)
  return Work(
    frame_count=frame_count,
    window_count=windows,
    size=network_size,
    clip_size=size,
    stride_count=len(flow_strides(frame_count, config=config)),
    batch_size=config.schedule.batch_size,
    levels=network.levels,
    second_kernel=network.second_kernel,
    noise_channels=network.noise_channels,
    state_bytes=sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state)),
    updates=sum(visit.updates for visit in program.visits),
    temporal=network.network == "3d",
    flow_losses=config.losses.generates_flow,
    perceptual=bool(config.losses.perceptual_weight),
    carry=config.propagation.carry,
    may_not_train=bool(config.propagation.carry and config.propagation.least_uncarried),
  )
