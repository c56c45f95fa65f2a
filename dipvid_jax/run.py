"""A whole run: files in, a folder of results out."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.checkpoints import Checkpoints
from dipvid_jax.clip_source import check_source, read_clip
from dipvid_jax.configuration import check_config, placing
from dipvid_jax.errors import InputError
from dipvid_jax.locks import check_free
from dipvid_jax.masks import dilate
from dipvid_jax.pipeline import Inpainted, inpaint_video
from dipvid_jax.preparation import place, prepare, put_back
from dipvid_jax.preview import preview_image, to_levels
from dipvid_jax.program import build_visits, clip_strides, flow_strides
from dipvid_jax.progress import FitProgress, say, stage
from dipvid_jax.run_folder import INPUT_FINGERPRINT, RunFolder
from dipvid_jax.types import Video
from dipvid_jax.yardsticks import telea
from flow import VideoFlow, make_estimator, stored_video_flow


def run(config: Any, *, overwrite: bool = False, resume: bool = False) -> Path:
  """Inpaints the config's video and writes the results into its output folder.

  Everything that can be wrong with the input is found before the folder is touched.

  Args:
    config: from `load_config`, with output set, and video and mask, or tfds and
      video_id.
    overwrite: replace another run in the folder.
    resume: go on with the folder's run from its latest checkpoint.

  Returns:
    The output folder.

  Raises:
    InputError: bad input, in one line.
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written, most often because the disk is full; what was
      written before is kept, and `resume` goes on.
  """
  check_source(config)
  if not config.output:
    raise InputError("--output is missing; see --help")
  check_config(config)
  folder = RunFolder(config.output)
  check_free(folder.path)
  folder.check(overwrite=overwrite, resume=resume)
  video, masks, frames, hole_masks = _read(config)
  if video.bit_depth > 8:
    say(f"{config.video}: {video.bit_depth} bits a sample are rounded to 8")
  strides = clip_strides(len(frames), config=config)
  dropped = sorted(set(config.strides) - set(strides))
  if dropped:
    say(
      f"{len(frames)} frames have no batch at stride {', '.join(map(str, dropped))}: left out"
    )
  estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)

  clip = (frames, hole_masks)
  with folder.claim(overwrite=overwrite, resume=resume):
    folder.create(config.to_dict() | _fingerprint(*clip), resume=resume)
    video_flow = _known_flow(config, folder, frames, estimator)
    result = _fit(config, folder, *clip, video_flow, resume=resume)
    _write(config, folder, video, masks, result)
  return folder.path


def _fingerprint(frames, hole_masks) -> dict[str, str]:
  """What tells the input of a run from any other, whatever its files are called."""
  digest = hashlib.sha256(np.ascontiguousarray(frames).data)
  digest.update(np.packbits(hole_masks > 0).data)
  return {INPUT_FINGERPRINT: digest.hexdigest()}


def _known_flow(config, folder, frames, estimator) -> VideoFlow:
  """The flow that the method reads, from the folder where it is there already."""
  strides = flow_strides(len(frames), config=config)
  if not strides:
    return ()
  flow_count = sum(2 * (len(frames) - t) for t in strides)
  with stage(f"flow ({config.flow.estimator})", flow_count) as progress:
    return stored_video_flow(
      folder.flow, frames, strides=strides, estimator=estimator, on_progress=progress
    )


def _write(config, folder, video, masks, result) -> None:
  """Writes the result at the input's size, and the network's frames at theirs."""
  placement = place(video.frames.shape[1:3], **placing(config))
  full = to_levels(result.full)
  inpainted = put_back(
    video.frames,
    masks,
    to_levels(result.stitched),
    placement=placement,
    feather=config.feather,
    generated=full,
    share=result.share,
  )
  shown = full[:, *placement.target.slices]
  if left_out := folder.write_results(inpainted, shown, like=video):
    say(left_out)


def _read(config) -> tuple[Video, np.ndarray, np.ndarray, np.ndarray]:
  """The video and its mask as they are, and both at the working size."""
  with stage("read", 2) as progress:
    video, masks = read_clip(config)
    masks = dilate(masks, config.dilate)
    progress(1)
    frames, hole_masks = prepare(
      video.frames,
      masks,
      **placing(config),
      hide_hole=config.hide_hole,
    )
    if config.hide_hole:
      frames = telea(frames, hole_masks)
    progress(1)
  return video, masks, frames, hole_masks


def _fit(config, folder, frames, hole_masks, video_flow, *, resume) -> Inpainted:
  """Fits with progress, metrics, a checkpoint and a preview after each round."""
  visits = build_visits(len(frames), config=config)
  strides = clip_strides(len(frames), config=config)
  checkpoints = Checkpoints(folder.checkpoints)
  progress = FitProgress(
    total_updates=sum(visit.updates for visit in visits), rounds=visits[-1].round + 1
  )

  def resume_from(fresh):
    state = (
      checkpoints.restore_latest(fresh, on_damaged=_say_damaged) if resume else None
    )
    done = 0 if state is None else int(state.step)
    folder.keep_metrics(updates=done)
    if done:
      progress.resume(done)
      say(f"resumed after {done} updates")
    return state

  def on_visit(visit, metrics):
    rate = progress.visit(visit, metrics)
    row = {
      "update": progress.update,
      "round": visit.round + 1,
      "start": visit.start,
      "stride": strides[visit.stride_index],
      "direction": ("forward", "backward")[visit.direction],
    }
    row |= {name: float(values[-1]) for name, values in metrics.items()}
    folder.append_metrics(row | {"updates_per_second": round(rate, 4)})

  def on_round(_, state, result):
    checkpoints.save(state)
    folder.write_preview(_preview(frames, hole_masks, video_flow, result))
    progress.pause()

  try:
    result = inpaint_video(
      frames,
      hole_masks,
      config=config,
      video_flow=video_flow,
      resume_from=resume_from,
      on_visit=on_visit,
      on_round=on_round,
      on_window=progress.window,
    )
  finally:
    checkpoints.close()
    progress.close()
  # Once more: a run resumed after its end has had no round to draw it.
  folder.write_preview(_preview(frames, hole_masks, video_flow, result))
  return result


def _say_damaged(step, error):
  reason = str(error).splitlines()[0] if str(error) else type(error).__name__
  say(f"checkpoint of {step} updates cannot be read ({reason}); trying the one before")


def _preview(frames, hole_masks, video_flow, result):
  return preview_image(
    frames,
    hole_masks,
    result.full,
    result.stitched,
    known_flow=video_flow[0].forward if video_flow else None,
    generated_flow=result.flow,
  )
