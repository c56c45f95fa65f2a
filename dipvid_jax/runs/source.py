"""Where a run's clip comes from: files, or a video of a data set."""

import fractions
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.frame_times import DEFAULT_FRAME_RATE
from dipvid_jax.media.masks import check_hole, dilate, read_mask
from dipvid_jax.media.placement import Placement, describe_swapped_sides, place
from dipvid_jax.media.preparation import prepare_holes
from dipvid_jax.media.soft_edges import left_out
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.config import Config
from dipvid_jax.method.settings import SourceConfig
from dipvid_jax.terminal import say, stage
from dipvid_jax.types import Video

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Source(NamedTuple):
  """The input. Only one window of a long clip is in memory at the working size.

  Attributes:
    video: as it was read.
    masks: `[T, H, W, 1]` uint8, above 127 = hole, grown by `dilate`.
    placement: of the input in the working frames.
    holes: `[T, h, w, 1]` bool, the hole at the working size.
  """

  video: Video
  masks: np.ndarray
  placement: Placement
  holes: np.ndarray


def check_source(source: SourceConfig) -> None:
  """Checks that a config names exactly one clip with its mask.

  Raises:
    InputError: it names none, two, or half of one.
  """
  if source.tfds:
    for key in ("video", "mask"):
      if getattr(source, key):
        raise InputError(
          f"--tfds and --{key} exclude each other: a video of a data set has its mask"
        )
    return
  if source.video_id:
    raise InputError("--video-id is a video of a data set: name the set with --tfds")
  for key in ("video", "mask"):
    if not getattr(source, key):
      raise InputError(f"--{key} is missing; see --help")
    check_is_path(f"--{key}", getattr(source, key))


def check_is_path(flag: str, name: str) -> None:
  """Checks that a name is not an address of object storage or of the web.

  Args:
    flag: that gave it, for the line.
    name: of a file or folder.

  Raises:
    InputError: it is one.
  """
  if _ADDRESS.match(name):
    raise InputError(
      f"{flag} {name}: is an address, not a file or folder; download it, or mount the"
      " storage (s3fs, gcsfuse, rclone mount) and name the path there"
    )


def read_by(config: Config, *, recipe: str | Path | None) -> dict[str, Path]:
  """The files and folders that a run reads, by the flags that name them.

  Args:
    config: the run's settings.
    recipe: the file that they come from.
  """
  named = {
    "--video": config.source.video,
    "--mask": config.source.mask,
    "--tfds": config.source.tfds,
    "--config": recipe,
    "--config.flow.weights": config.flow.weights,
  }
  return {flag: Path(value) for flag, value in named.items() if value}


def absolute(config: Config) -> Config:
  """The config with paths that other processes and machines understand."""

  def whole(name: str | None) -> str | None:
    return str(Path(name).absolute()) if name else name

  source, weights = config.source, config.flow.weights
  return config.replace(
    video=whole(source.video),
    mask=whole(source.mask),
    tfds=whole(source.tfds) if Path(source.tfds or "").exists() else source.tfds,
    output=whole(config.output.folder),
    **{"flow.weights": whole(weights)},
  )


def source_name(source: SourceConfig) -> str:
  """The file or data set that messages about the clip name."""
  return source.video or source.tfds or ""


def read_source(config: Config) -> Source:
  """Reads the clip and its mask, and brings the hole to the working size.

  Args:
    config: the run's settings; its source has passed `check_source`.

  Returns:
    The input.

  Raises:
    InputError: as `read_clip` and `prepare_holes`.
  """
  with stage("read", 2) as progress:
    video, marked = read_clip(config.source)
    input_size, size = video.frames.shape[1:3], config.placement.content_size
    if line := describe_swapped_sides(size, input_size):
      say(line)
    masks = dilate(marked, config.source.dilate)
    if line := left_out(marked, masks):
      say(f"{config.source.mask or source_name(config.source)}: {line}")
    progress(1)
    placement = place(
      input_size,
      size=size,
      fit=config.placement.fit,
      levels=config.network.levels,
      side=config.propagation.side,
    )
    hide_hole = config.propagation.hide_hole
    holes = prepare_holes(masks, placement, hide_hole=hide_hole)
    progress(1)
  return Source(video, masks, placement, holes)


def read_clip(source: SourceConfig) -> tuple[Video, np.ndarray]:
  """Reads the clip and its hole at the input's size.

  Args:
    source: has passed `check_source`.

  Returns:
    The video, and its masks `[T, H, W, 1]` uint8, above 127 = hole.

  Raises:
    InputError: as `read_video`, `read_mask` and `VideoSet`.
  """
  if source.tfds:
    return _read_from_set(source.tfds, source)
  video = read_video(source.video or "")
  masks = read_mask(
    source.mask or "",
    frame_count=len(video.frames),
    size=video.frames.shape[1:3],
    object_id=source.mask_object,
    invert=source.invert_mask,
    threshold=source.mask_threshold,
  )
  return video, masks


def _read_from_set(name: str, source: SourceConfig) -> tuple[Video, np.ndarray]:
  held = VideoSet(name)
  held.check_id(source.video_id)
  video_id = source.video_id or ""
  masks = held.masks(video_id, object_id=source.mask_object)
  if source.invert_mask:
    masks = 255 - masks
  check_hole(f"{name}: {video_id}", masks, invert=source.invert_mask)
  rate = held.frame_rate(video_id)
  frame_rate = fractions.Fraction(rate) if rate else DEFAULT_FRAME_RATE
  return Video(held.frames(video_id), frame_rate), masks
