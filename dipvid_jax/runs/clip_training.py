"""All windows of a clip, one after the other, into the frames of the result."""

import contextlib
from collections.abc import Iterator, Mapping

from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.preparation import put_back
from dipvid_jax.method.program import flow_strides
from dipvid_jax.runs.adoption import adopt
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_arrays import make_arrays
from dipvid_jax.runs.window_folder import WindowFolder
from dipvid_jax.runs.window_run import finish_window
from dipvid_jax.runs.windows import Arrays, Window, join
from dipvid_jax.storage.locks import check_free


def check_own_runs(
  plan: RunPlan, folder: RunFolder, settings: Mapping[str, object]
) -> None:
  """Checks that windows which have runs of their own can become part of this run.

  Args:
    plan: the run.
    folder: of the run.
    settings: of the run, as `config.json` has them.

  Raises:
    BusyError: one of them is at work.
    InputError: one of them has another config.
  """
  for window in plan.windows:
    part = WindowFolder(folder.path, window.number)
    check_free(part.path)
    part.is_finished(settings)


def inpaint_windows(
  plan: RunPlan, folder: RunFolder, report: RunReport, *, resume: bool
) -> None:
  """Trains window after window, fades each into the one before, writes the frames.

  A window that has a run of its own is not trained here: that run is completed where it
  is not, and adopted.

  Args:
    plan: the run.
    folder: of the run, which gets the frames and the states.
    report: told of every visit and round.
    resume: continue in the window, and from the update, where the folder's run stands.

  Raises:
    BusyError: a window's own run has begun to work.
    InputError: another run has taken the folder over.
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  if len(plan.windows) == 1:
    (window,) = plan.windows
    arrays = make_arrays(plan, window, folder, report, resume=resume)
    _write(plan, window, join(window, arrays, {}, overlap=0)[0], folder)
    return
  tail: Arrays = {}
  for window in plan.windows:
    tail = _add_window(plan, window, folder, report, tail, resume=resume)


def _add_window(
  plan: RunPlan,
  window: Window,
  folder: RunFolder,
  report: RunReport,
  tail: Arrays,
  *,
  resume: bool,
) -> Arrays:
  """Makes a window's frames final, but for those that it returns as its tail."""
  of = len(plan.windows)
  with _own_run(window, folder) as part:
    left = folder.read_tail(window, of=of) if resume else None
    if left is None:
      if part:
        arrays = _finished(plan, window, part)
        report.adopt(part)
      else:
        arrays = make_arrays(plan, window, folder, report, resume=resume)
      overlap = plan.config.windows.overlap
      done, left = join(window, arrays, tail, overlap=overlap)
      _write(plan, window, done, folder)
      if part:
        strides = flow_strides(window.stop - window.start, config=plan.config)
        adopt(part, folder, window=window, of=of, strides=strides)
      folder.save_tail(window, left, of=of)
    if part:
      part.discard()
  return left


@contextlib.contextmanager
def _own_run(window: Window, folder: RunFolder) -> Iterator[WindowFolder | None]:
  """Claims the folder of a window's own run; None if it has none."""
  part = WindowFolder(folder.path, window.number)
  if part.holds_run():
    with part.claim(overwrite=False, resume=True):
      yield part
    return
  if part.path.is_dir():  # killed before it began, or after it was adopted
    with part.hold():
      part.discard()
  yield None


def _finished(plan: RunPlan, window: Window, part: WindowFolder) -> Arrays:
  arrays = part.read()
  return finish_window(plan, window, part, resume=True) if arrays is None else arrays


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
