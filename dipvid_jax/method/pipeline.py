"""`inpaint_video`: a clip's arrays and a config in, the inpainted clip out."""

from collections.abc import Callable

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import check_size
from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import Program, build_program, flow_strides
from dipvid_jax.method.training_clip import (
  Inpainted,
  TrainingClip,
  make_training_clip,
)
from dipvid_jax.propagation.telea import telea
from dipvid_jax.training.clip_checks import (
  check_flow,
  check_frames,
  check_hole_masks,
)
from dipvid_jax.training.fit import fit
from dipvid_jax.training.schedule import Visit, visits_left
from dipvid_jax.training.stopping import Stopping
from dipvid_jax.types import HasStep
from flow import VideoFlow, estimate_video_flow, make_estimator

# From the frames, their hole filled where the config hides it, and the strides.
FlowSource = Callable[[np.ndarray, tuple[int, ...]], VideoFlow]


def inpaint_video(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  config: Config,
  video_flow: VideoFlow | FlowSource | None = None,
  program: Program | None = None,
  callbacks: Callbacks | None = None,
  stopping: Stopping | None = None,
) -> Inpainted:
  """Trains a network on a clip and fills its hole.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1], finite; H x W is the working size.
      With `carry` any size: the network sees larger frames reduced to the config's.
    hole_masks: `[T, H, W, 1]` float, 1 = fill, 0 = observed.
    config: from `load_config`; its source and output are not read, nor its size
      without `carry`.
    video_flow: known flow at `flow_strides(T, config=config)`, or a function of the
      frames and these strides that finds it; estimated from `frames` where None.
    program: from `build_program` for T frames and this config; built where None.
    callbacks: told what the run does; may resume an earlier one.
    stopping: ends the run before its schedule does; made from the config where None.

  Returns:
    The result after the last round.

  Raises:
    InputError: the config, the arrays or the flow do not fit.
    DivergedError: a loss is not finite.

  Reference: Zhang et al., ICCV 2019.
  """
  if not isinstance(config, Config):
    raise InputError(
      f"config must come from load_config, got {type(config).__name__}; "
      "parse_recipe turns a ConfigDict into one"
    )
  frames = check_frames(frames)
  hole_masks = check_hole_masks(hole_masks, frames.shape)
  if not config.propagation.carry:
    check_size(frames.shape[1:3], config.network.levels)
  if config.propagation.hide_hole:
    frames = telea(frames, hole_masks)
  program = program or build_program(len(frames), config=config)
  callbacks = callbacks or Callbacks()
  known_flow = _known_flow(video_flow, frames, config)
  callbacks.on_flow(known_flow)
  clip = make_training_clip(
    frames, hole_masks, known_flow, config=config, on_carry=callbacks.on_carry
  )
  stopping = stopping or Stopping(
    patience=config.stopping.stop_patience, minutes=config.stopping.max_minutes
  )
  state = callbacks.on_start(program.start(clip.device))
  return _run(
    program,
    state,
    clip,
    stopping=stopping,
    callbacks=callbacks,
    config=config,
  )


def _known_flow(
  given: VideoFlow | FlowSource | None, frames: np.ndarray, config: Config
) -> VideoFlow:
  strides = flow_strides(len(frames), config=config)
  if given is None:
    estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)
    given = estimate_video_flow(frames, strides=strides, estimator=estimator)
  video_flow = given(frames, strides) if callable(given) else given
  check_flow(video_flow, strides=strides, shape=frames.shape)
  return video_flow


def _run(
  program: Program,
  state: HasStep,
  clip: TrainingClip,
  *,
  stopping: Stopping,
  callbacks: Callbacks,
  config: Config,
) -> Inpainted:
  """Fits what is left of the schedule; each round renders, the last is the result.

  Where carried pixels leave too little to fill, that is a round without any updates.
  """
  latest: Inpainted | None = None
  last_update = sum(visit.updates for visit in program.visits)

  def render(state: HasStep) -> Inpainted:
    if not int(state.step):
      return clip.compose(None)
    return clip.compose(program.render(state, clip.device, callbacks.on_window))

  def finish_round(visit: Visit, state: HasStep) -> None:
    nonlocal latest
    latest = render(state)
    if int(state.step) < last_update:
      stopping.check_quality(latest.holdout_psnr)
    callbacks.on_round(visit, state, latest)

  fresh = not int(state.step) and not stopping.reason
  if fresh and clip.guess is not None:
    least = config.propagation.least_uncarried
    stopping.check_need(clip.guess.uncarried, least=least)
    if stopping.reason:
      finish_round(program.visits[0]._replace(updates=0, ends_round=True), state)
  state = fit(
    state,
    clip.device,
    visits=[] if stopping.reason else visits_left(program.visits, int(state.step)),
    fit_visits=program.fit_visits,
    batches_per_call=config.training.batches_per_call,
    on_visit=callbacks.on_visit,
    on_round=finish_round,
    stopping=stopping,
  )
  return render(state) if latest is None else latest
