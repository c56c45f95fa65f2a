"""`inpaint_video`: a clip's arrays and a config in, the inpainted clip out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dipvid_jax.media.placement import check_size
from dipvid_jax.method.config import check_config
from dipvid_jax.method.program import Program, build_program, flow_strides
from dipvid_jax.method.training_clip import Inpainted, make_training_clip
from dipvid_jax.propagation.telea import telea
from dipvid_jax.training.fit import fit
from dipvid_jax.training.schedule import Visit, visits_left
from dipvid_jax.training.stopping import Stopping
from flow import InputError, VideoFlow, estimate_video_flow, make_estimator


def inpaint_video(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  config: Any,
  video_flow: VideoFlow | None = None,
  program: Program | None = None,
  resume_from: Callable[[Any], Any | None] | None = None,
  on_visit: Callable[[Visit, dict[str, np.ndarray]], None] | None = None,
  on_state: Callable[[Visit, Any], None] | None = None,
  on_round: Callable[[Visit, Any, Inpainted], None] | None = None,
  on_window: Callable[[int, int], None] | None = None,
  stopping: Stopping | None = None,
) -> Inpainted:
  """Trains a network on a clip and fills its hole.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1], finite; H x W is the working size.
    hole_masks: `[T, H, W, 1]` float, 1 = fill, 0 = observed.
    config: from `load_config`; its video, mask, output and size are not read.
    video_flow: known flow at `flow_strides(T, config=config)`; estimated from
      `frames` where None.
    program: from `build_program` for T frames and this config; built where None.
    resume_from: given the fresh state, returns the one to go on from, or None.
    on_visit: called after each batch, or each `batches_per_call` of them, with the
      last visit and the metrics, `[updates]` each.
    on_state: called then with the last visit and the state, which it must not keep;
      `resume_from` may return a copy.
    on_round: called after each round with its last visit, the state, the result.
    on_window: called during inference with the windows done and all windows.
    stopping: ends the run before its schedule does, for the reason that it then
      tells; made from the config where None. `resume_from` restores one that it knows.

  Returns:
    The result after the last round.

  Raises:
    InputError: the config, the arrays or the flow do not fit.
    DivergedError: a loss is not finite.

  Reference: Zhang et al., ICCV 2019.
  """
  check_config(config)
  frames, hole_masks = _check_clip(frames, hole_masks)
  if config.hide_hole:
    frames = telea(frames, hole_masks)
  check_size(frames.shape[1:3], config.levels)
  program = program or build_program(len(frames), config=config)
  strides = flow_strides(len(frames), config=config)
  if video_flow is None:
    estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)
    video_flow = estimate_video_flow(frames, strides=strides, estimator=estimator)
  _check_flow(video_flow, strides, frames.shape)

  clip = make_training_clip(frames, hole_masks, video_flow, config=config)
  state = program.start(clip.device)
  if resume_from:
    state = resume_from(state) or state

  return _run(
    program,
    state,
    clip.device,
    stopping=stopping
    or Stopping(patience=config.stop_patience, minutes=config.max_minutes),
    render=lambda state: clip.compose(program.render(state, clip.device, on_window)),
    batches_per_call=config.batches_per_call,
    on_visit=on_visit,
    on_state=on_state,
    on_round=on_round,
  )


def _run(
  program,
  state,
  clip,
  *,
  stopping,
  render,
  batches_per_call,
  on_visit,
  on_state,
  on_round,
):
  """Fits what is left of the schedule; each round renders, the last is the result."""
  latest = None
  last_update = sum(visit.updates for visit in program.visits)

  def finish_round(visit, state):
    nonlocal latest
    latest = render(state)
    if int(state.step) < last_update:
      stopping.check_quality(latest.holdout_psnr)
    if on_round:
      on_round(visit, state, latest)

  state = fit(
    state,
    clip,
    visits=[] if stopping.reason else visits_left(program.visits, int(state.step)),
    fit_visits=program.fit_visits,
    batches_per_call=batches_per_call,
    on_visit=on_visit,
    on_state=on_state,
    on_round=finish_round,
    stopping=stopping,
  )
  return render(state) if latest is None else latest


def _check_clip(frames, hole_masks):
  frames = np.asarray(frames)
  hole_masks = np.asarray(hole_masks)
  if frames.ndim != 4 or frames.shape[-1] != 3:
    raise InputError(f"frames must be [T, H, W, 3], got {frames.shape}")
  if not np.issubdtype(frames.dtype, np.floating):
    raise InputError(
      f"frames must be float in [0, 1], got {frames.dtype}; divide by 255"
    )
  if not frames.size:
    raise InputError(f"frames are empty: {frames.shape}")
  if not (np.isfinite(frames).all() and frames.min() >= 0 and frames.max() <= 1):
    raise InputError("frames must be finite and in [0, 1], in the hole too")
  if hole_masks.shape != (*frames.shape[:3], 1):
    raise InputError(
      f"hole_masks must be {(*frames.shape[:3], 1)} like the frames, got {hole_masks.shape}"
    )
  if not np.isin(hole_masks, (0, 1)).all():
    raise InputError("hole_masks must be 0 (observed) or 1 (fill)")
  if hole_masks.all():
    raise InputError("hole_masks mark the whole of every frame; nothing is left to fit")
  return frames.astype(np.float32), hole_masks.astype(np.float32)


def _check_flow(video_flow, strides, shape):
  expected = [(t, (shape[0] - t, *shape[1:3], 2)) for t in strides]
  if [(pairs.stride, pairs.forward.shape) for pairs in video_flow] != expected:
    raise InputError(
      f"video_flow must hold strides {strides} of a clip {shape[:3]}; "
      f"estimate_video_flow(frames, strides={strides}) makes it"
    )
  if not all(np.isfinite([p.forward, p.backward]).all() for p in video_flow):
    raise InputError("video_flow must be finite")
