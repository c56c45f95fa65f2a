"""Training on one window of a clip: progress, metrics, checkpoints, previews."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dipvid_jax.method.config import follows_scene
from dipvid_jax.method.pipeline import Inpainted, inpaint_video
from dipvid_jax.method.program import Program, clip_strides, flow_strides
from dipvid_jax.report.preview import preview_image
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_files import WindowFiles
from dipvid_jax.runs.windows import Window
from dipvid_jax.storage.checkpoints import Checkpoints
from dipvid_jax.terminal import FitProgress, say, stage
from flow import (
  Estimator,
  VideoFlow,
  find_scenes,
  neighbour_flow,
  stored_video_flow,
)


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
  if follows_scene(config):
    _say_cuts(video_flow, window, label)
  report.lap("flow")
  updates = sum(visit.updates for visit in program.visits)
  record = _Record(
    window=window,
    label=label,
    folder=folder,
    report=report,
    checkpoints=Checkpoints(files.checkpoints),
    progress=FitProgress(
      total_updates=updates,
      rounds=program.visits[-1].round + 1,
      label=label or "fit",
      updates_after=to_come * updates,
    ),
    strides=clip_strides(len(frames), config=config),
    checkpoint_seconds=60 * config.checkpoint_minutes,
    draw_preview=lambda result: _preview(frames, hole_masks, video_flow, result),
  )
  try:
    result = inpaint_video(
      frames,
      hole_masks,
      config=config,
      video_flow=video_flow,
      program=program,
      resume_from=record.restore if resume else record.begin,
      on_visit=record.visit,
      on_state=record.state,
      on_round=record.round,
      on_window=record.progress.window,
      stopping=report.stopping,
    )
  finally:
    record.checkpoints.close()
    record.progress.close()
  # Once more: a run resumed after its end has had no round to draw it.
  folder.write_preview(record.draw_preview(result))
  return result


class _Record:
  """Writes down what a window's training does: metrics, checkpoints, previews."""

  def __init__(
    self,
    *,
    window: Window,
    label: str,
    folder: RunFolder,
    report: RunReport,
    checkpoints: Checkpoints,
    progress: FitProgress,
    strides: tuple[int, ...],
    checkpoint_seconds: float,
    draw_preview: Callable[[Inpainted], np.ndarray],
  ):
    self.checkpoints = checkpoints
    self.progress = progress
    self.draw_preview = draw_preview
    self._window = window
    self._label = label
    self._folder = folder
    self._report = report
    self._strides = strides
    self._checkpoint_seconds = checkpoint_seconds
    self._saved_at = time.monotonic()

  def begin(self, fresh):
    """Begins with the fresh state."""
    self._keep(0)

  def restore(self, fresh):
    """Begins with the latest checkpoint's state, if there is one."""
    state = self.checkpoints.restore_latest(fresh, on_damaged=_say_damaged)
    done = 0 if state is None else int(state.step)
    self._keep(done)
    if done:
      self.progress.resume(done)
      say(f"{f'{self._label}: ' if self._label else ''}resumed after {done} updates")
    return state

  def _keep(self, updates):
    """Keeps of what an earlier run wrote down what is before that update."""
    self._folder.keep_metrics(window=self._window.number + 1, updates=updates)
    self._report.resume(self._window, updates)

  def visit(self, visit, metrics):
    rate = self.progress.visit(visit.round, metrics)
    row = {
      "window": self._window.number + 1,
      "update": self.progress.update,
      "round": visit.round + 1,
      "start": self._window.start + visit.start,
      "stride": self._strides[visit.stride_index],
      "direction": ("forward", "backward")[visit.direction],
    }
    row |= {name: float(values[-1]) for name, values in metrics.items()}
    row |= {"updates_per_second": round(rate, 4)}
    seconds = round(self._report.stopping.seconds, 2)
    self._folder.append_metrics(row | {"seconds": seconds})
    self._report.lap("training")

  def state(self, visit, state):
    due = self._saved_at + self._checkpoint_seconds
    if not visit.ends_round and time.monotonic() >= due:
      self._save(state)

  def round(self, visit, state, result):
    self._report.record_round(visit, int(state.step), result, window=self._window)
    self._save(state)
    if self._report.refresh(visit, result, window=self._window):
      self._folder.write_preview(self.draw_preview(result))
    self.progress.pause()

  def _save(self, state):
    self.checkpoints.save(state)
    self.progress.pause()
    self._saved_at = time.monotonic()


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


def _say_cuts(video_flow, window, label):
  """Names the cuts, because nothing is carried over them."""
  scenes = find_scenes(neighbour_flow(video_flow))
  cuts = [window.start + scene.start for scene in scenes[1:]]
  if cuts:
    where = f"{label}: " if label else ""
    say(f"{where}cut before frame {', '.join(map(str, cuts))} (the first one is 0)")


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
