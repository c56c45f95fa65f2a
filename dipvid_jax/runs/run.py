"""A whole run: files in, a folder of results out."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.masks import dilate
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare_holes
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.method.config import check_config, placing
from dipvid_jax.method.program import (
  Program,
  build_program,
  clip_strides,
  describe_work,
)
from dipvid_jax.method.requirements import check_fits, describe, free_memory
from dipvid_jax.runs.clip_runs import Source, inpaint_windows, trained_windows
from dipvid_jax.runs.folder import INPUT_FINGERPRINT, RunFolder
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.source import check_source, read_clip
from dipvid_jax.runs.windows import Window, plan_windows
from dipvid_jax.storage.locks import check_free
from dipvid_jax.terminal import say, stage
from flow import make_estimator


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
  report = RunReport(folder, config=config)
  source = _read(config)
  report.lap("reading")
  named = config.video or config.tfds
  check_largest(named, source.video.frames.shape[1:3])
  if source.video.bit_depth > 8:
    say(f"{named}: {source.video.bit_depth} bits a sample are rounded to 8")
  windows = plan_windows(
    len(source.holes), length=config.window, overlap=config.overlap
  )
  program = _check_windows(config, source, windows)
  estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)

  with folder.claim(overwrite=overwrite, resume=resume):
    folder.create(config.to_dict() | _fingerprint(source), resume=resume)
    report.begin(
      source.video,
      source.masks,
      placement=source.placement,
      visits=program.visits,
      windows=len(windows),
      resume=resume,
    )
    inpaint_windows(
      config, source, windows, program, estimator, folder, report, resume=resume
    )
    if left_out := folder.write_videos(source.video):
      say(left_out)
    report.end()
  return folder.path


def _read(config) -> Source:
  """The video and its mask as they are, and the hole at the working size."""
  with stage("read", 2) as progress:
    video, masks = read_clip(config)
    masks = dilate(masks, config.dilate)
    progress(1)
    placement = place(video.frames.shape[1:3], **placing(config))
    holes = prepare_holes(masks, placement, hide_hole=config.hide_hole)
    progress(1)
  return Source(video, masks, placement, holes)


def _check_windows(config, source: Source, windows: list[Window]) -> Program:
  """Makes sure that every window can be trained on, and says what that needs."""
  length = windows[0].stop - windows[0].start
  strides = clip_strides(length, config=config)
  for window in windows:
    if source.holes[window.start : window.stop].all():
      remedy = "larger --window" if len(windows) > 1 else "smaller --dilate"
      raise InputError(
        f"the hole covers the whole of all frames from {window.start} to "
        f"{window.stop - 1}, nothing is left to learn from; use a {remedy}"
      )
  dropped = sorted(set(config.strides) - set(strides))
  if dropped:
    names = ", ".join(map(str, dropped))
    say(f"{length} frames have no batch at stride {names}: left out")
  program = build_program(length, config=config)
  work = describe_work(
    program,
    frame_count=length,
    size=source.placement.size,
    windows=len(trained_windows(source, windows)),
    config=config,
  )
  free = free_memory()
  smallest = (config.batch_size - 1) * min(config.strides) + 1
  check_fits(work, free, smallest_window=smallest)
  say(describe(work, free))
  return program


def _fingerprint(source: Source) -> dict[str, str]:
  """What tells the input of a run from any other, whatever its files are called."""
  digest = hashlib.sha256(np.ascontiguousarray(source.video.frames).data)
  digest.update(np.ascontiguousarray(source.masks).data)
  return {INPUT_FINGERPRINT: digest.hexdigest()}
