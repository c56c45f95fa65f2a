"""All windows of a clip, one after the other, into the frames of the result."""

import numpy as np

from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.preparation import prepare_frames, put_back
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.propagation.native import carried_detail, most_hole_pixels
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_training import fit_window
from dipvid_jax.runs.windows import Arrays, Window, join


def inpaint_windows(
  plan: RunPlan, folder: RunFolder, report: RunReport, *, resume: bool
) -> None:
  """Trains window after window, fades each into the one before, writes the frames.

  Args:
    plan: the run.
    folder: of the run, which gets the frames and the states.
    report: told of every visit and round.
    resume: continue in the window, and from the update, where the folder's run stands.

  Raises:
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  several = len(plan.windows) > 1
  trained = plan.trained_windows
  tail: Arrays = {}
  for window in plan.windows:
    files = folder.window_files(window.number, of=len(plan.windows))
    if resume and several:
      left = files.read_tail()
      if left is not None and folder.has_frames(window.first, window.settled):
        tail = left
        continue
    frames, hole_masks = _working_arrays(plan, window)
    if window in trained:
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
    done, tail = join(window, arrays, tail, overlap=plan.config.windows.overlap)
    _write(plan, window, done, folder)
    if several:
      folder.written.announce(files.tail)
      files.save_tail(tail)


def _working_arrays(plan: RunPlan, window: Window) -> tuple[np.ndarray, np.ndarray]:
  source, rows = plan.source, slice(window.start, window.stop)
  frames = prepare_frames(source.video.frames[rows], source.placement)
  return frames, source.holes[rows].astype(np.float32)


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


def _write(plan: RunPlan, window: Window, done: Arrays, folder: RunFolder) -> None:
  """Writes frames at the input's size, and the network's at theirs."""
  source, rows = plan.source, slice(window.first, window.settled)
  full = to_levels(done["full"])
  inpainted = put_back(
    source.video.frames[rows],
    source.masks[rows],
    to_levels(done["stitched"]),
    placement=source.placement,
    feather=plan.config.placement.feather,
    generated=full,
    share=done["share"],
    detail=done.get("detail"),
  )
  shown = full[:, *source.placement.target.slices]
  folder.write_frames(inpainted, shown, first=window.first)
