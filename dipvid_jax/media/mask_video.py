"""Writes masks as a video that reads back without loss."""

import fractions
import pathlib

import av
import numpy as np

from dipvid_jax.media import sources
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.storage import atomic
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
  rate = frame_rate.limit_denominator(1_000_000)
  times = timestamps or Timestamps(np.arange(len(masks) + 1), 1 / rate)
  shown_for = dict(
    zip(times.ticks[:-1].tolist(), np.diff(times.ticks).tolist(), strict=True)
  )
  # One thread: the number of threads decides the bytes.
  options = {"qp": "0", "preset": "medium", "x264-params": "threads=1"}
  with (
    atomic.replacing(path) as partial,
    av.open(sources.ffmpeg_url(partial), "w", format="mp4") as container,
  ):
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = masks.shape[1:]
    stream.pix_fmt = "gray"
    context = stream.codec_context
    context.time_base = times.time_base
    context.sample_aspect_ratio = pixel_aspect
    for mask, start in zip([*masks, None], [*shown_for, None], strict=True):
      picture = None
      if mask is not None:
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(mask), format="gray")
        picture.pts, picture.time_base = start, times.time_base
      for packet in stream.encode(picture):
        packet.duration = shown_for[packet.pts]
        container.mux(packet)
