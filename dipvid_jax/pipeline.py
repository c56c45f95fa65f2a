"""`inpaint_video`: a clip's arrays and a config in, the inpainted clip out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dipvid_jax.batching import DeviceClip, draw_noise, flow_scale, put_flow
from dipvid_jax.configuration import check_config
from dipvid_jax.fit import FitVisit, fit, make_fit_visit
from dipvid_jax.model import EncoderDecoder
from dipvid_jax.objective import add_known_features, make_losses
from dipvid_jax.prepare import check_size
from dipvid_jax.render import Render, make_render
from dipvid_jax.schedule import Visit, make_schedule, usable_strides
from dipvid_jax.step import TrainState, create_train_state, make_train_step
from dipvid_jax.vgg import load_vgg16
from flow import InputError, VideoFlow, estimate_video_flow, make_estimator

# Parameters and noise each draw from their own branch of the seed.
_PARAMS_KEY, _NOISE_KEY = 0, 1


class Inpainted(NamedTuple):
  """The result of a run, or of a round.

  Attributes:
    full: `[T, H, W, 3]` float32 RGB in (0, 1), the network's frames everywhere.
    stitched: `[T, H, W, 3]` float32, the input outside the hole, `full` inside.
    flow: `[T, H, W, 2]` float32, generated forward flow at the first stride, pixels.
  """

  full: np.ndarray
  stitched: np.ndarray
  flow: np.ndarray


class Program(NamedTuple):
  """What a config builds for clips of T frames.

  Attributes:
    optimizer: with its learning rate.
    model: the generator.
    visits: which batch when.
    fit_visit: one visit, compiled at its first call.
    render: inference, compiled at its first call.
  """

  optimizer: optax.GradientTransformation
  model: EncoderDecoder
  visits: list[Visit]
  fit_visit: FitVisit
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
  strides = clip_strides(frame_count, config=config)
  model = EncoderDecoder(
    flow_channels=4 * len(strides),
    levels=config.levels,
    random_scale=config.random_norm_scale,
  )
  optimizer = optax.adam(config.learning_rate)
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
    visits=build_visits(frame_count, config=config),
    fit_visit=make_fit_visit(
      train_step, batch_size=config.batch_size, prepare_batch=prepare_batch
    ),
    render=make_render(model, batch_size=config.batch_size, flow_channels=2),
  )


def inpaint_video(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  config: Any,
  video_flow: VideoFlow | None = None,
  resume_from: Callable[[TrainState], TrainState | None] | None = None,
  on_visit: Callable[[Visit, dict[str, np.ndarray]], None] | None = None,
  on_round: Callable[[Visit, TrainState, Inpainted], None] | None = None,
  on_window: Callable[[int, int], None] | None = None,
) -> Inpainted:
  """Trains a network on a clip and fills its hole (DIP-Vid-Flow).

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1], finite; H x W is the working size.
    hole_masks: `[T, H, W, 1]` float, 1 = fill, 0 = observed.
    config: from `load_config`; its video, mask, output and size are not read.
    video_flow: known flow at `clip_strides(T, config=config)`; estimated from
      `frames` where None.
    resume_from: given the fresh state, returns the one to go on from, or None.
    on_visit: called after each batch with the visit and its metrics, `[updates]` each.
    on_round: called after each round with its last visit, the state, the result.
    on_window: called during inference with the windows done and all windows.

  Returns:
    The result after the last round.

  Raises:
    InputError: the config, the arrays or the flow do not fit.
    DivergedError: a loss is not finite.

  Reference: Zhang et al., ICCV 2019.
  """
  check_config(config)
  frames, hole_masks = _check_clip(frames, hole_masks)
  check_size(frames.shape[1:3], config.levels)
  program = build_program(len(frames), config=config)
  strides = clip_strides(len(frames), config=config)
  if video_flow is None:
    estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)
    video_flow = estimate_video_flow(frames, strides=strides, estimator=estimator)
  _check_flow(video_flow, strides, frames.shape)

  clip = put_clip(frames, hole_masks, video_flow, seed=config.seed)
  state = start_state(program, clip, seed=config.seed)
  if resume_from:
    state = resume_from(state) or state
  return _run(
    program,
    state,
    clip,
    generated_scale=flow_scale(video_flow[0].forward, video_flow[0].backward),
    on_visit=on_visit,
    on_round=on_round,
    on_window=on_window,
  )


def put_clip(
  frames: np.ndarray, hole_masks: np.ndarray, video_flow: VideoFlow, *, seed: int
) -> DeviceClip:
  """Draws the noise and puts all that a run reads on the device.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float32.
    video_flow: known flow at the program's strides.
    seed: decides the noise.

  Returns:
    The clip on the device.
  """
  key = jax.random.fold_in(jax.random.key(seed), _NOISE_KEY)
  return DeviceClip(
    noise=draw_noise(key, (*frames.shape[:3], 1)),
    frames=jnp.asarray(frames),
    hole_mask=jnp.asarray(hole_masks),
    flow=put_flow(video_flow, hole_masks),
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
    jax.random.fold_in(jax.random.key(seed), _PARAMS_KEY),
    model=program.model,
    optimizer=program.optimizer,
    sample=clip.noise[:1],
  )


def _run(program, state, clip, *, generated_scale, on_visit, on_round, on_window):
  """Fits what is left of the schedule; each round renders, the last is the result."""
  latest = None

  def render(state):
    outputs = program.render(state.params, clip.noise, on_window)
    stitched = np.where(np.asarray(clip.hole_mask) > 0, outputs.image, clip.frames)
    return Inpainted(outputs.image, stitched, outputs.flow * generated_scale)

  def finish_round(visit, state):
    nonlocal latest
    latest = render(state)
    if on_round:
      on_round(visit, state, latest)

  state = fit(
    state,
    clip,
    visits=visits_left(program.visits, int(state.step)),
    fit_visit=program.fit_visit,
    on_visit=on_visit,
    on_round=finish_round,
  )
  return render(state) if latest is None else latest


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


def _check_clip(frames, hole_masks):
  frames = np.asarray(frames)
  hole_masks = np.asarray(hole_masks)
  if frames.ndim != 4 or frames.shape[-1] != 3:
    raise InputError(f"frames must be [T, H, W, 3], got {frames.shape}")
  if not np.issubdtype(frames.dtype, np.floating):
    raise InputError(
      f"frames must be float in [0, 1], got {frames.dtype}; divide by 255"
    )
  if not (np.isfinite(frames).all() and frames.min() >= 0 and frames.max() <= 1):
    raise InputError("frames must be finite and in [0, 1], in the hole too")
  if hole_masks.shape != (*frames.shape[:3], 1):
    raise InputError(
      f"hole_masks must be {(*frames.shape[:3], 1)} like the frames, got {hole_masks.shape}"
    )
  if not np.isin(hole_masks, (0, 1)).all():
    raise InputError("hole_masks must be 0 (observed) or 1 (fill)")
  return frames.astype(np.float32), hole_masks.astype(np.float32)


def _check_flow(video_flow, strides, shape):
  expected = [(t, (shape[0] - t, *shape[1:3], 2)) for t in strides]
  if [(pairs.stride, pairs.forward.shape) for pairs in video_flow] != expected:
    raise InputError(
      f"video_flow must hold strides {strides} of a clip {shape[:3]}; "
      f"estimate_video_flow(frames, strides={strides}) makes it"
    )
