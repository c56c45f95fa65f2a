"""Training on one window of a clip: progress, metrics, checkpoints, previews."""

import time
from typing import Any

import numpy as np

from dipvid_jax.checkpoints import Checkpoints
from dipvid_jax.pipeline import Inpainted, inpaint_video
from dipvid_jax.preview import preview_image
from dipvid_jax.program import Program, clip_strides, flow_strides
from dipvid_jax.progress import FitProgress, say, stage
from dipvid_jax.run_folder import RunFolder
from dipvid_jax.run_report import RunReport
from dipvid_jax.window_files import WindowFiles
from dipvid_jax.windows import Window
from flow import Estimator, VideoFlow, stored_video_flow


def window_seed(seed: int, number: int) -> int:
  """The seed of a window: the first one has the run's own, the others a branch each."""
  if not number:
    return seed
  return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def fit_window(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  window: Window,
  of: int,
  to_come: int,
  config: Any,
  program: Program,
  estimator: Estimator,
  folder: RunFolder,
  report: RunReport,
  resume: bool,
) -> Inpainted:
  """Trains on a window's frames; what it does on the way is in the folder.

  Args:
    frames: `[K, H, W, 3]` float32 RGB in [0, 1], the window's.
    hole_masks: `[K, H, W, 1]` float32.
    window: from `plan_windows`.
    of: how many windows there are.
    to_come: how many are trained after it.
    config: the window's, with its own seed.
    program: built from that config for K frames.
    estimator: of the known flow.
    folder: of the run.
    report: of the run, begun.
    resume: go on from the window's latest checkpoint.

  Returns:
    The window's result.

  Raises:
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  files = folder.window_files(window.number, of=of)
  label = f"window {window.number + 1}/{of}" if of > 1 else ""
  report.begin_window(window)
  video_flow = _known_flow(frames, config, estimator, files, label)
  report.lap("flow")
  visits = program.visits
  strides = clip_strides(len(frames), config=config)
  checkpoints = Checkpoints(files.checkpoints)
  updates = sum(visit.updates for visit in visits)
  progress = FitProgress(
    total_updates=updates,
    rounds=visits[-1].round + 1,
    label=label or "fit",
    updates_after=to_come * updates,
  )
  saved_at = time.monotonic()

  def save(state):
    nonlocal saved_at
    checkpoints.save(state)
    progress.pause()
    saved_at = time.monotonic()

  def resume_from(fresh):
    state = (
      checkpoints.restore_latest(fresh, on_damaged=_say_damaged) if resume else None
    )
    done = 0 if state is None else int(state.step)
    folder.keep_metrics(window=window.number + 1, updates=done)
    report.resume(window, done)
    if done:
      progress.resume(done)
      say(f"{f'{label}: ' if label else ''}resumed after {done} updates")
    return state

  def on_visit(visit, metrics):
    rate = progress.visit(visit, metrics)
    row = {
      "window": window.number + 1,
      "update": progress.update,
      "round": visit.round + 1,
      "start": window.start + visit.start,
      "stride": strides[visit.stride_index],
      "direction": ("forward", "backward")[visit.direction],
    }
    row |= {name: float(values[-1]) for name, values in metrics.items()}
    row |= {"updates_per_second": round(rate, 4)}
    folder.append_metrics(row | {"seconds": round(report.stopping.seconds, 2)})
    report.lap("training")

  def on_state(visit, state):
    due = saved_at + 60 * config.checkpoint_minutes
    if not visit.ends_round and time.monotonic() >= due:
      save(state)

  def on_round(visit, state, result):
    report.record_round(visit, int(state.step), result, window=window)
    save(state)
    if report.refresh(visit, result, window=window):
      folder.write_preview(_preview(frames, hole_masks, video_flow, result))
    progress.pause()

  try:
    result = inpaint_video(
      frames,
      hole_masks,
      config=config,
      video_flow=video_flow,
      program=program,
      resume_from=resume_from,
      on_visit=on_visit,
      on_state=on_state,
      on_round=on_round,
      on_window=progress.window,
      stopping=report.stopping,
    )
  finally:
    checkpoints.close()
    progress.close()
  # Once more: a run resumed after its end has had no round to draw it.
  folder.write_preview(_preview(frames, hole_masks, video_flow, result))
  return result


def _known_flow(frames, config, estimator, files: WindowFiles, label: str) -> VideoFlow:
  """The flow that the method reads, from the folder where it is there already."""
  strides = flow_strides(len(frames), config=config)
  if not strides:
    return ()
  flow_count = sum(2 * (len(frames) - t) for t in strides)
  name = f"flow ({config.flow.estimator})"
  with stage(f"{label} {name}".strip(), flow_count) as progress:
    return stored_video_flow(
      files.flow, frames, strides=strides, estimator=estimator, on_progress=progress
    )


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
