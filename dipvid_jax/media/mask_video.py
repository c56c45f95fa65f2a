"""Writes masks as a video that reads back without loss."""

import fractions
import pathlib

import av
import numpy as np

from dipvid_jax.media.h264 import constant_times, encode
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.types import Timestamps


def write_mask_video(
  path: pathlib.Path,
  masks: np.ndarray,
  frame_rate: fractions.Fraction,
  *,
  timestamps: Timestamps | None = None,
  pixel_aspect: fractions.Fraction = fractions.Fraction(1),
) -> None:
  """Writes lossless grey H.264 in an MP4, of any size, also an odd one.

  The file appears under its name only once it is complete.

  Args:
    path: the file; replaced if it exists.
    masks: `[T, H, W]` uint8.
    frame_rate: of the video that they belong to, frames per second.
    timestamps: when its frames are shown; None: the rate is constant.
    pixel_aspect: width of a pixel over its height, as shown.

  Raises:
    InputError: the masks are too large for H.264.
    OSError: the file cannot be written.
  """
  check_largest(path, masks.shape[1:])
  encode(
    path,
    (av.VideoFrame.from_ndarray(np.ascontiguousarray(m), format="gray") for m in masks),
    size=masks.shape[1:],
    pixel_format="gray",
    frame_rate=frame_rate,
    timestamps=timestamps or constant_times(len(masks), frame_rate),
    pixel_aspect=pixel_aspect,
    options={"qp": "0", "preset": "medium"},
  )
