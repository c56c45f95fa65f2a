"""What a window of a clip adds to the result, before it is faded into the others."""

import numpy as np

from dipvid_jax.media.preparation import prepare_frames
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.propagation.native import carried_detail, most_hole_pixels
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_training import fit_window
from dipvid_jax.runs.windows import Arrays, Window


def make_arrays(
  plan: RunPlan,
  window: Window,
  folder: RunFolder,
  report: RunReport,
  *,
  resume: bool,
) -> Arrays:
  """Trains on a window if it has a hole.

  Args:
    plan: the run.
    window: of the plan.
    folder: of the run, which gets the window's states.
    report: told of every visit and round.
    resume: continue from the window's latest checkpoint.

  Returns:
    `full`, `stitched` and `share`, `[K, H, W, .]` float32 at the working size, and
    `detail` at the input's size where pixels are carried.

  Raises:
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  source, rows = plan.source, slice(window.start, window.stop)
  frames = prepare_frames(source.video.frames[rows], source.placement)
  hole_masks = source.holes[rows].astype(np.float32)
  if window in plan.trained_windows:
    result = fit_window(
      frames,
      hole_masks,
      window=window,
      plan=plan,
      folder=folder,
      report=report,
      resume=resume,
    )
  else:
    result = Inpainted(frames, frames, None, hole_masks)
  arrays = {name: getattr(result, name) for name in ("full", "stitched", "share")}
  if (detail := _detail(plan, window, result)) is not None:
    arrays["detail"] = detail
  return arrays


def _detail(plan: RunPlan, window: Window, result: Inpainted) -> np.ndarray | None:
  """What the input's own size adds to the carried pixels, see `carried_detail`."""
  source, rows = plan.source, slice(window.start, window.stop)
  if result.guess is None or result.carried_share is None:
    return None
  if source.placement.unchanged:  # carried pixels are the input's own
    return None
  return carried_detail(
    result.guess.carried,
    result.carried_share,
    frames=source.video.frames[rows],
    masks=source.masks[rows],
    placement=source.placement,
    length=most_hole_pixels(source.masks, source.placement),
  )
