"""Training on one window of a clip."""

import dataclasses

import numpy as np

from dipvid_jax.method.pipeline import Inpainted, inpaint_video
from dipvid_jax.method.program import build_program
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_record import WindowRecord
from dipvid_jax.runs.windows import Window
from dipvid_jax.terminal import stage
from flow import VideoFlow, stored_video_flow
from flow.store import stored_files


def window_seed(seed: int, number: int) -> int:
  """The seed of a window: the run's own for the first, then a branch of it each."""
  if not number:
    return seed
  return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def fit_window(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  window: Window,
  plan: RunPlan,
  folder: RunFolder,
  report: RunReport,
  resume: bool,
) -> Inpainted:
  """Trains on a window's frames; flow, states and metrics are kept in the folder.

  Args:
    frames: `[K, H, W, 3]` float32 RGB in [0, 1], the window's.
    hole_masks: `[K, H, W, 1]` float32.
    window: of the plan.
    plan: the run.
    folder: of the run.
    report: of the run, begun.
    resume: continue from the window's latest checkpoint.

  Returns:
    The window's result.

  Raises:
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  files = folder.window_files(window.number, of=len(plan.windows))
  seed = window_seed(plan.config.seed, window.number)
  config = dataclasses.replace(plan.config, seed=seed)
  program = build_program(len(frames), config=config, like=plan.program)

  def known_flow(shown: np.ndarray, strides: tuple[int, ...]) -> VideoFlow:
    """The flow that the method reads, from the folder where it is there already."""
    if not strides:
      return ()
    flow_count = sum(2 * (len(shown) - t) for t in strides)
    label = f"{plan.window_label(window)} flow ({config.flow.estimator})".strip()
    folder.written.announce(*stored_files(files.flow, strides))
    with stage(label, flow_count) as progress:
      return stored_video_flow(
        files.flow,
        shown,
        strides=strides,
        estimator=plan.estimator,
        on_progress=progress,
      )

  report.begin_window(window)
  record = WindowRecord(
    frames,
    hole_masks,
    window=window,
    plan=plan,
    folder=folder,
    report=report,
    resume=resume,
  )
  with record:
    result = inpaint_video(
      frames,
      hole_masks,
      config=config,
      video_flow=known_flow,
      program=program,
      callbacks=record,
      stopping=report.stopping,
    )
  # Once more: a run resumed after its end has no round that would draw it.
  record.write_preview(result)
  return result
