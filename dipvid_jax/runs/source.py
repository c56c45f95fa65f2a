"""Where a run's clip comes from: files, or a video of a data set."""

import fractions
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.masks import check_hole, read_mask
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.types import Video

_FRAME_RATE = "24"  # of DAVIS, and of a set that does not say


def check_source(config: Any) -> None:
  """Makes sure that a config names one clip, and all of it.

  Args:
    config: with video, mask, tfds and video_id.

  Raises:
    InputError: it names none, two, or a half.
  """
  if config.tfds:
    for key in ("video", "mask"):
      if config[key]:
        raise InputError(
          f"--tfds and --{key} exclude each other: a video of a data set has its mask"
        )
    return
  if config.video_id:
    raise InputError("--video-id is a video of a data set: name the set with --tfds")
  for key in ("video", "mask"):
    if not config[key]:
      raise InputError(f"--{key} is missing; see --help")


def read_clip(config: Any) -> tuple[Video, np.ndarray]:
  """Reads the clip and its hole as they are.

  Args:
    config: that `check_source` lets pass.

  Returns:
    The video, and its masks `[T, H, W, 1]` uint8, above 127 = hole.

  Raises:
    InputError: as `read_video`, `read_mask` and `VideoSet`.
  """
  if config.tfds:
    return _read_from_set(config)
  video = read_video(config.video)
  masks = read_mask(
    config.mask,
    frame_count=len(video.frames),
    size=video.frames.shape[1:3],
    object_id=config.mask_object,
    invert=config.invert_mask,
  )
  return video, masks


def _read_from_set(config) -> tuple[Video, np.ndarray]:
  held = VideoSet(config.tfds)
  held.check_id(config.video_id)
  masks = held.masks(config.video_id, object_id=config.mask_object)
  if config.invert_mask:
    masks = 255 - masks
  check_hole(f"{config.tfds}: {config.video_id}", masks, invert=config.invert_mask)
  rate = held.frame_rate(config.video_id) or _FRAME_RATE
  return Video(held.frames(config.video_id), fractions.Fraction(rate)), masks
