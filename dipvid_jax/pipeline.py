"""`inpaint_video`: a clip's arrays and a config in, the inpainted clip out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.batching import DeviceClip, draw_noise, put_flow
from dipvid_jax.calibration import Guess, make_guess, network_share
from dipvid_jax.configuration import check_config, generates_flow
from dipvid_jax.fit import fit
from dipvid_jax.holdout import draw_holdout, hide_held_out, holdout_psnr
from dipvid_jax.moving_noise import moving_noise, scene_coordinates
from dipvid_jax.preparation import check_size
from dipvid_jax.program import (
  NOISE_KEY,
  Program,
  build_program,
  clip_strides,
  flow_strides,
  visits_left,
)
from dipvid_jax.schedule import Visit
from dipvid_jax.stopping import Stopping
from dipvid_jax.yardsticks import telea
from flow import (
  InputError,
  VideoFlow,
  complete_video_flow,
  estimate_video_flow,
  make_estimator,
)


class Inpainted(NamedTuple):
  """The result of a run, or of a round.

  Attributes:
    full: `[T, H, W, 3]` float32 RGB in (0, 1), the network's frames everywhere.
    stitched: `[T, H, W, 3]` float32, the input outside the hole, `full` inside; with
      `carry` the carried pixels inside as far as they are trusted, `full` for the rest.
    flow: `[T, H, W, 2]` float32, generated forward flow at the first stride, pixels;
      None where the network makes none.
    share: `[T, H, W, 1]` float32 in [0, 1], how much of `full` is in `stitched`.
    holdout_psnr: of `full` on known pixels that no loss saw, decibels; None where
      none was held out.
  """

  full: np.ndarray
  stitched: np.ndarray
  flow: np.ndarray | None
  share: np.ndarray
  holdout_psnr: float | None = None


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

  draw = {"fraction": config.holdout_fraction, "seed": config.seed}
  holdout = draw_holdout(hole_masks, **draw)
  hidden = np.maximum(hole_masks, holdout)
  shown = hide_held_out(frames, hole_masks, holdout, fill_hole=config.hide_hole)
  guess = guess_hole(shown, hidden, video_flow, config=config)
  clip = put_clip(shown, hole_masks, video_flow, guess, config=config, holdout=holdout)
  state = program.start(clip)
  if resume_from:
    state = resume_from(state) or state

  def render(state):
    image, flow = map(np.asarray, program.render(state, clip, on_window))
    stitched, share = stitch(image, shown, hidden, guess)
    return Inpainted(
      full=image,
      stitched=np.where(holdout > 0, frames, stitched),
      flow=flow * float(clip.flow.scale[0]) if clip.flow else None,
      share=np.where(holdout > 0, 0, share),
      holdout_psnr=holdout_psnr(image, frames, holdout),
    )

  return _run(
    program,
    state,
    clip,
    stopping=stopping
    or Stopping(patience=config.stop_patience, minutes=config.max_minutes),
    render=render,
    batches_per_call=config.batches_per_call,
    on_visit=on_visit,
    on_state=on_state,
    on_round=on_round,
  )


def guess_hole(
  frames: np.ndarray, hole_masks: np.ndarray, video_flow: VideoFlow, *, config: Any
) -> Guess | None:
  """What the clip itself says about its hole, where the config asks for it.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled.
    hole_masks: `[T, H, W, 1]` float32.
    video_flow: known flow at `flow_strides(T, config=config)`.
    config: from `load_config`; its seed decides where the guess is proved.

  Returns:
    The guess; None without `carry`.
  """
  if not config.carry:
    return None
  generator = np.random.default_rng(config.seed)
  return make_guess(frames, hole_masks, _neighbours(video_flow), generator=generator)


def _neighbours(video_flow):
  return next(pairs for pairs in video_flow if pairs.stride == 1)


def put_clip(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  video_flow: VideoFlow,
  guess: Guess | None = None,
  *,
  config: Any,
  holdout: np.ndarray | None = None,
) -> DeviceClip:
  """Makes the network's input and puts all that a run reads on the device.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float32.
    video_flow: known flow at `flow_strides(T, config=config)`.
    guess: from `guess_hole`, to be learnt by its trust.
    config: from `load_config`; its seed decides the noise.
    holdout: `[T, H, W, 1]` float32, 1 = known, and yet hole to the training.

  Returns:
    The clip on the device.
  """
  noise_key = jax.random.fold_in(jax.random.key(config.seed), NOISE_KEY)
  if config.network_input == "moving_noise":
    (scene_flow,) = complete_video_flow((_neighbours(video_flow),), hole_masks)
    coordinates = scene_coordinates(scene_flow)
    noise = moving_noise(noise_key, coordinates, channels=config.noise_channels)
  else:
    noise = draw_noise(noise_key, (*frames.shape[:3], config.noise_channels))
  hidden = hole_masks if holdout is None else np.maximum(hole_masks, holdout)
  soft_hole = 1 - guess.trust if guess else hidden
  if holdout is not None:
    soft_hole = np.maximum(soft_hole, holdout)
  return DeviceClip(
    noise=noise,
    frames=jnp.asarray(guess.carried if guess else frames),
    hole_mask=jnp.asarray(soft_hole),
    strides=jnp.asarray(clip_strides(len(frames), config=config), jnp.int32),
    flow=put_flow(video_flow, hidden) if generates_flow(config) else None,
  )


def stitch(
  image: np.ndarray,
  frames: np.ndarray,
  hole_masks: np.ndarray,
  guess: Guess | None = None,
) -> tuple[np.ndarray, np.ndarray]:
  """Puts the network's frames into the hole.

  Args:
    image: `[T, H, W, 3]` float32 RGB in (0, 1), the network's frames.
    frames: `[T, H, W, 3]` float32, the input.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    guess: from `guess_hole`; it keeps a share of the hole.

  Returns:
    The result `[T, H, W, 3]`, exactly the input outside the hole, and how much of
    it is the network's, `[T, H, W, 1]`.
  """
  if guess is None:
    share, rest = hole_masks, frames
  else:
    share, rest = network_share(image, guess, hole_masks), guess.frames
  return share * image + (1 - share) * rest, share


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
