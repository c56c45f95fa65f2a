"""Writes clips as H.264 in an MP4."""

import fractions
import itertools
import pathlib

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, sources
from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.storage import atomic
from dipvid_jax.types import Timestamps

# libswscale's flags: bicubic, full chroma, exact rounding. Its default drops half of
# the chroma and costs about 9 dB in a round trip of a natural image.
PRECISE = 0x4 | 0x2000 | 0x4000 | 0x40000

_LONGEST_SIDE = 16384  # of libx264
# FFmpeg's numbers: the matrix (AVCOL_SPC_*), the primaries and the transfer curve.
_BT709, _BT601 = 1, 6

_MOST_BITS = 2e9  # per second: FFmpeg's numbers have 32 bits


def conventional_matrix(height: int) -> int:
  """FFmpeg's number of the conventional matrix for video of this height."""
  return _BT709 if height >= 720 else _BT601


def check_largest(path: pathlib.Path | str, size: tuple[int, int]) -> None:
  """Checks that frames are not too large for a video.

  Args:
    path: the file that the line names.
    size: (H, W) of its frames.

  Raises:
    InputError: a side is longer than the encoder allows.
  """
  if max(size) > _LONGEST_SIDE:
    raise InputError(
      f"{path}: H.264 video has at most {_LONGEST_SIDE:,} pixels per side, the frames"
      f" are {images.format_size(size)} (height x width); make them smaller"
    )


def write_video(
  path: pathlib.Path | str,
  frames: np.ndarray | ImageSequence,
  frame_rate: fractions.Fraction,
  *,
  timestamps: Timestamps | None = None,
  pixel_aspect: fractions.Fraction | int = 1,
  max_bytes: int | None = None,
) -> None:
  """Writes an H.264 MP4 that browsers play.

  The matrix is BT.601 below 720 lines and BT.709 from 720 on, limited range, and
  tagged: readers that ignore the tags then guess right. The file appears under its
  name only once it is complete.

  Args:
    path: the file; replaced if it exists.
    frames: `[T, H, W, 3]` uint8 RGB, or T files of such frames; H and W even.
    frame_rate: frames per second.
    timestamps: when each frame is shown; None: the rate is constant.
    pixel_aspect: width of a pixel over its height, as shown.
    max_bytes: quality is reduced until the file fits; None: nearly lossless.

  Raises:
    InputError: the height or width is odd, which 4:2:0 video does not allow, or too
      large.
    ValueError: the frames have another type or shape, the times another count, or the
      rate or the aspect is not positive.
    OSError: the file cannot be written.
  """
  size = _check(path, frames, frame_rate, timestamps, pixel_aspect)
  rate = fractions.Fraction(frame_rate).limit_denominator(1_000_000)
  if timestamps is None:
    timestamps = Timestamps(np.arange(len(frames) + 1), 1 / rate)
  starts, durations = timestamps.ticks[:-1].tolist(), np.diff(timestamps.ticks).tolist()
  shown_for = dict(zip(starts, durations, strict=True))
  with (
    atomic.replacing(pathlib.Path(path)) as partial,
    av.open(
      sources.ffmpeg_url(partial),
      "w",
      format="mp4",
      options={"movflags": "+faststart"},
    ) as container,
  ):
    options = {"crf": "14", "preset": "medium"}
    if max_bytes is not None:
      options = _bounded(max_bytes, timestamps)
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = timestamps.time_base
    context.sample_aspect_ratio = fractions.Fraction(pixel_aspect)
    context.colorspace = conventional_matrix(stream.height)
    context.color_primaries = context.color_trc = _BT709
    context.color_range = ColorRange.MPEG
    ended: tuple[np.ndarray | None, ...] = (None,)
    for frame, start in zip(
      itertools.chain(frames, ended), (*starts, None), strict=True
    ):
      # At the end, None flushes the encoder.
      for packet in stream.encode(None if frame is None else _to_yuv(frame, start)):
        packet.duration = shown_for[packet.pts]
        container.mux(packet)


def _bounded(max_bytes: int, timestamps: Timestamps) -> dict[str, str]:
  """x264's options for a file of limited size: a limit on its output rate."""
  seconds = max(float(timestamps.ticks[-1] * timestamps.time_base), 1e-3)
  buffered = min(seconds, 1.0)
  # The buffer starts full, so its size adds to that rate.
  bits_a_second = min(0.85 * 8 * max_bytes / (seconds + buffered), _MOST_BITS)
  return {
    "crf": "23",
    "preset": "veryfast",
    "maxrate": str(int(bits_a_second)),
    "bufsize": str(int(bits_a_second * buffered)),
  }


def _check(
  path: pathlib.Path | str,
  frames: np.ndarray | ImageSequence,
  frame_rate: fractions.Fraction,
  timestamps: Timestamps | None,
  pixel_aspect: fractions.Fraction | int,
) -> tuple[int, int]:
  """Checks the arguments; returns the frames' (H, W)."""
  if isinstance(frames, np.ndarray):
    images.check_frames(frames)
  for name, value in (("frame_rate", frame_rate), ("pixel_aspect", pixel_aspect)):
    if value <= 0:
      raise ValueError(f"{name} must be positive, got {value}")
  if timestamps is not None and len(timestamps.ticks) != len(frames) + 1:
    raise ValueError(
      f"timestamps of {len(frames)} frames need {len(frames) + 1} ticks, got"
      f" {len(timestamps.ticks)}"
    )
  height, width = frames[0].shape[:2]
  check_largest(path, (height, width))
  if height % 2 or width % 2:
    raise InputError(
      f"{path}: H.264 video needs an even height and width, the frames are"
      f" {images.format_size((height, width))} (height x width)"
    )
  return height, width


def _to_yuv(frame: np.ndarray, start: int) -> av.VideoFrame:
  rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
  bt709 = conventional_matrix(rgb.height) == _BT709
  yuv = rgb.reformat(
    format="yuv420p",
    dst_colorspace=Colorspace.ITU709 if bt709 else Colorspace.ITU601,
    src_color_range=ColorRange.JPEG,
    dst_color_range=ColorRange.MPEG,
    interpolation=PRECISE,
  )
  yuv.pts = start
  return yuv
