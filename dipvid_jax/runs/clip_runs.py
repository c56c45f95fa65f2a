"""All windows of a clip, one after the other, into the frames of the result."""

from typing import Any, NamedTuple

import numpy as np

from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.placement import Placement
from dipvid_jax.media.preparation import prepare_frames, put_back
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.program import Program, build_program
from dipvid_jax.propagation.telea import telea
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_runs import fit_window, window_seed
from dipvid_jax.runs.windows import Arrays, Window, join
from dipvid_jax.types import Video
from flow import Estimator


class Source(NamedTuple):
  """The input. Of a long clip only a window is in memory at the working size.

  Attributes:
    video: as it was read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole, grown as the config says.
    placement: of the input in the working frames.
    holes: `[T, h, w, 1]` bool, the hole at the working size.
  """

  video: Video
  masks: np.ndarray
  placement: Placement
  holes: np.ndarray


def trained_windows(source: Source, windows: list[Window]) -> list[Window]:
  """The windows that have a hole; an only window is trained in any case."""
  return [
    window
    for window in windows
    if len(windows) == 1 or source.holes[window.start : window.stop].any()
  ]


def inpaint_windows(
  config: Any,
  source: Source,
  windows: list[Window],
  program: Program,
  estimator: Estimator,
  folder: RunFolder,
  report: RunReport,
  *,
  resume: bool,
) -> None:
  """Window after window: trains, fades into the one before, writes what is done.

  Args:
    config: from `load_config`, checked.
    source: the input.
    windows: from `plan_windows`.
    program: built from the config for a window's frames.
    estimator: of the known flow.
    folder: of the run, which gets the frames and the states.
    report: told of every visit and round.
    resume: go on in the window, and from the update, where the folder's run stands.

  Raises:
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  trained = trained_windows(source, windows)
  tail: Arrays = {}
  for window in windows:
    files = folder.window_files(window.number, of=len(windows))
    if resume and len(windows) > 1:
      left = files.read_tail()
      if left is not None and folder.has_frames(window.first, window.settled):
        tail = left
        continue
    frames = prepare_frames(
      source.video.frames[window.start : window.stop], source.placement
    )
    hole_masks = source.holes[window.start : window.stop].astype(np.float32)
    if config.hide_hole:
      frames = telea(frames, hole_masks)
    if window not in trained:
      result = Inpainted(frames, frames, None, hole_masks)
    else:
      own = config.copy_and_resolve_references()
      own.seed = window_seed(config.seed, window.number)
      program = build_program(len(frames), config=own, like=program)
      result = fit_window(
        frames,
        hole_masks,
        window=window,
        of=len(windows),
        to_come=sum(later.number > window.number for later in trained),
        config=own,
        program=program,
        estimator=estimator,
        folder=folder,
        report=report,
        resume=resume,
      )
    arrays = {name: getattr(result, name) for name in ("full", "stitched", "share")}
    done, tail = join(window, arrays, tail, overlap=config.overlap)
    _write(config, source, window, done, folder)
    if len(windows) > 1:
      files.save_tail(tail)


def _write(
  config, source: Source, window: Window, done: Arrays, folder: RunFolder
) -> None:
  """Writes frames at the input's size, and the network's at theirs."""
  rows = slice(window.first, window.settled)
  full = to_levels(done["full"])
  inpainted = put_back(
    source.video.frames[rows],
    source.masks[rows],
    to_levels(done["stitched"]),
    placement=source.placement,
    feather=config.feather,
    generated=full,
    share=done["share"],
  )
  shown = full[:, *source.placement.target.slices]
  folder.write_frames(inpainted, shown, first=window.first)
