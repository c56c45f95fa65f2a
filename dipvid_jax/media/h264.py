"""Encodes pictures as H.264 in an MP4."""

import fractions
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from dipvid_jax.media import sources
from dipvid_jax.storage import atomic
from dipvid_jax.types import Timestamps

# Of x264: the number of threads decides the bytes, and its macroblock tree reads memory
# that it has not written (core 165 on AVX-512): what that holds would decide them too.
_REPEATABLE = ("threads=1", "lookahead-threads=1", "mbtree=0")


def constant_times(frame_count: int, frame_rate: fractions.Fraction) -> Timestamps:
  """When frames are shown whose rate is constant.

  Args:
    frame_count: T.
    frame_rate: frames per second.
  """
  return Timestamps(np.arange(frame_count + 1), 1 / _limited(frame_rate))


def encode(
  path: pathlib.Path,
  pictures: Iterable[av.VideoFrame],
  *,
  size: tuple[int, int],
  pixel_format: str,
  frame_rate: fractions.Fraction,
  timestamps: Timestamps,
  pixel_aspect: fractions.Fraction,
  options: Mapping[str, str],
  parameters: Sequence[str] = (),
  container_options: Mapping[str, str] | None = None,
  set_up: Callable[[VideoCodecContext], None] = lambda context: None,
) -> None:
  """Writes a file that appears under its name only once it is complete.

  The same pictures give the same bytes, on any number of CPUs: one thread encodes.

  Args:
    path: the file; replaced if it exists.
    pictures: T of them, in `pixel_format`.
    size: their (H, W).
    pixel_format: FFmpeg's name of it.
    frame_rate: frames per second.
    timestamps: when they are shown.
    pixel_aspect: width of a pixel over its height, as shown.
    options: of FFmpeg's libx264.
    parameters: of x264 itself, `KEY=VALUE`.
    container_options: of FFmpeg's mp4.
    set_up: changes the encoder before its first picture.

  Raises:
    OSError: the file cannot be written.
  """
  starts, durations = timestamps.ticks[:-1].tolist(), np.diff(timestamps.ticks).tolist()
  shown_for = dict(zip(starts, durations, strict=True))
  with (
    atomic.replacing(path) as partial,
    av.open(
      sources.ffmpeg_url(partial),
      "w",
      format="mp4",
      options=dict(container_options or {}),
    ) as container,
  ):
    stream = container.add_stream(
      "libx264",
      rate=_limited(frame_rate),
      options={**options, "x264-params": ":".join([*_REPEATABLE, *parameters])},
    )
    stream.height, stream.width = size
    stream.pix_fmt = pixel_format
    context = stream.codec_context
    context.time_base = timestamps.time_base
    context.sample_aspect_ratio = pixel_aspect
    set_up(context)
    for picture, start in zip(pictures, starts, strict=True):
      picture.pts, picture.time_base = start, timestamps.time_base
      _mux(container, stream.encode(picture), shown_for)
    _mux(container, stream.encode(None), shown_for)


def _mux(
  container: av.container.OutputContainer,
  packets: Iterable[av.Packet],
  shown_for: Mapping[Any, int],  # a packet's time may be None in PyAV's types
) -> None:
  for packet in packets:
    packet.duration = shown_for[packet.pts]
    container.mux(packet)


def _limited(frame_rate: fractions.Fraction) -> fractions.Fraction:
  """A rate in numbers that FFmpeg holds."""
  return fractions.Fraction(frame_rate).limit_denominator(1_000_000)
