"""What a config builds: network, optimiser, losses, schedule, compiled functions."""

from typing import Any, NamedTuple

import jax
import optax

from dipvid_jax.batching import DeviceClip
from dipvid_jax.errors import InputError
from dipvid_jax.fit import FitVisits, make_fit_visits
from dipvid_jax.model import EncoderDecoder
from dipvid_jax.objective import add_known_features, make_losses
from dipvid_jax.render import Render, make_render
from dipvid_jax.schedule import Visit, make_schedule, usable_strides
from dipvid_jax.step import TrainState, create_train_state, make_train_step
from dipvid_jax.vgg import load_vgg16

# Parameters and noise each draw from their own branch of the seed.
PARAMS_KEY, NOISE_KEY = 0, 1


class Program(NamedTuple):
  """What a config builds for clips of T frames.

  Attributes:
    optimizer: with its learning rate.
    model: the generator.
    visits: which batch when.
    fit_visits: visits, compiled at their first call.
    render: inference, compiled at its first call.
  """

  optimizer: optax.GradientTransformation
  model: EncoderDecoder
  visits: list[Visit]
  fit_visits: FitVisits
  render: Render


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


def generates_flow(config: Any) -> bool:
  """Whether a loss reads the generated flow, so that the network makes it."""
  return bool(config.flow_weight or config.consistency_weight)


def _learning_rate(config, visits):
  """A number, or a schedule over all updates of the run."""
  if config.learning_rate_schedule == "constant":
    return config.learning_rate
  updates = sum(visit.updates for visit in visits)
  return optax.cosine_decay_schedule(config.learning_rate, updates)


def build_program(frame_count: int, *, config: Any) -> Program:
  """Turns a config into functions; no other library code sees a config.

  Args:
    frame_count: T.
    config: from `load_config`, checked.

  Returns:
    The program for clips of that length.

  Raises:
    InputError: the clip is too short, or VGG16's weights cannot be read.
  """
  visits = build_visits(frame_count, config=config)
  strides = clip_strides(frame_count, config=config)
  model = EncoderDecoder(
    flow_channels=4 * len(strides) if generates_flow(config) else 0,
    levels=config.levels,
    random_scale=config.random_norm_scale,
  )
  optimizer = optax.adam(_learning_rate(config, visits))
  vgg = load_vgg16() if config.perceptual_weight else None
  losses = make_losses(
    image_weight=config.image_weight,
    flow_weight=config.flow_weight,
    consistency_weight=config.consistency_weight,
    perceptual_weight=config.perceptual_weight,
    vgg=vgg,
    vgg_input=config.vgg_input,
    vgg_dtype=config.vgg_dtype,
  )

  def prepare_batch(batch):
    if vgg is None:
      return batch
    return add_known_features(
      batch, vgg=vgg, vgg_input=config.vgg_input, vgg_dtype=config.vgg_dtype
    )

  train_step = make_train_step(model, optimizer, losses=losses)
  return Program(
    optimizer=optimizer,
    model=model,
    visits=visits,
    fit_visits=make_fit_visits(
      train_step, batch_size=config.batch_size, prepare_batch=prepare_batch
    ),
    render=make_render(model, batch_size=config.batch_size, flow_channels=2),
  )


def start_state(program: Program, clip: DeviceClip, *, seed: int) -> TrainState:
  """The state before the first update.

  Args:
    program: from `build_program`.
    clip: from `put_clip`.
    seed: decides the parameters.

  Returns:
    A fresh state.
  """
  return create_train_state(
    jax.random.fold_in(jax.random.key(seed), PARAMS_KEY),
    model=program.model,
    optimizer=program.optimizer,
    sample=clip.noise[:1],
  )


def visits_left(visits: list[Visit], updates_done: int) -> list[Visit]:
  """The visits that a state of so many updates has still before it.

  Args:
    visits: the whole schedule.
    updates_done: the state's step, at the end of a visit.

  Returns:
    The rest of the schedule.

  Raises:
    InputError: the state does not stand at the end of a visit of this schedule.
  """
  done = 0
  for i, visit in enumerate(visits):
    if done == updates_done:
      return visits[i:]
    done += visit.updates
  if done == updates_done:
    return []
  raise InputError(
    f"the checkpoint has {updates_done} updates, which is not the end of a batch of "
    f"this schedule: resume with the config that the run began with"
  )
