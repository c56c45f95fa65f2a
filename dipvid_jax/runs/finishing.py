"""What follows the training: tried before it, and unable to cost it."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from dipvid_jax.errors import InputError, UnfinishedError
from dipvid_jax.media.audio import add_audio
from dipvid_jax.media.images import format_size
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.source import source_name
from dipvid_jax.runs.sparing import one_line
from dipvid_jax.storage import disk
from dipvid_jax.terminal import say
from dipvid_jax.types import Timestamps, Video


def rehearse(plan: RunPlan, folder: RunFolder) -> str:
  """Writes both videos with their first frame alone, copies the sound, removes both.

  Args:
    plan: the run.
    folder: of the run, claimed.

  Returns:
    What will be left out of the sound, in one line; empty if nothing will.

  Raises:
    InputError: the videos cannot be encoded, or the folder cannot be written to.
  """
  video, target = plan.source.video, plan.source.placement.target
  path = folder.path / f".rehearsal.{os.getpid()}.partial"
  try:
    network = dataclasses.replace(video, field_order=None)
    _encode(path, video.frames.shape[1:3], video, plan)
    _encode(path, (target.height, target.width), network, plan)
    return add_audio(path, video.audio) if video.audio else ""
  except OSError as error:
    raise InputError(f"--output {folder.path}: {disk.reason(error)}") from error
  finally:
    path.unlink(missing_ok=True)


def _encode(path: Path, size: tuple[int, ...], video: Video, plan: RunPlan) -> None:
  """Encodes one black frame as the end of the run encodes all of them."""
  height, width = (side + side % 2 for side in size)
  times = video.timestamps
  try:
    write_video(
      path,
      np.zeros((1, height, width, 3), np.uint8),
      video.frame_rate,
      timestamps=times and Timestamps(times.ticks[:2], times.time_base),
      pixel_aspect=video.pixel_aspect,
      colour=video.colour,
      field_order=video.field_order,
    )
  except (av.FFmpegError, ValueError) as error:
    if isinstance(error, OSError | InputError):
      raise
    raise InputError(
      f"{source_name(plan.config.source)}: its result cannot be encoded as H.264 of"
      f" {format_size((height, width))} ({one_line(error)})"
    ) from error


def finish(plan: RunPlan, folder: RunFolder, report: RunReport, *, said: str) -> None:
  """Writes videos and report from the frames, each although another has failed.

  Args:
    plan: the run.
    folder: of the run, with all its frames.
    report: of the run.
    said: what `rehearse` returned: it is not said again.

  Raises:
    InputError: another run has taken the folder over.
    OSError: a file cannot be written; a full disk comes before other reasons.
    UnfinishedError: a file cannot be made.
  """
  video = plan.source.video

  def write_inpainted() -> None:
    left_out = folder.write_inpainted(video)
    if left_out and left_out != said:
      say(left_out)

  steps: dict[str, Callable[[], None]] = {
    "inpainted.mp4": write_inpainted,
    "full.mp4": lambda: folder.write_full(video),
    "report.html": report.end,
  }
  failed: dict[str, Exception] = {}
  for name, step in steps.items():
    folder.check_held()
    try:
      step()
    except Exception as error:  # as `spared`, and the rest is written
      failed[name] = error
  unwritten = [error for error in failed.values() if isinstance(error, OSError)]
  if unwritten:
    raise min(unwritten, key=lambda error: not disk.is_full(error))
  if failed:
    reasons = [f"{name} ({one_line(error)})" for name, error in failed.items()]
    raise UnfinishedError(f"{folder.path}: could not make {', '.join(reasons)}")
