"""Writes clips as H.264 in an MP4."""

import fractions
import pathlib
from collections.abc import Callable, Iterable, Iterator

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from dipvid_jax.errors import InputError
from dipvid_jax.media import colours, fields, images
from dipvid_jax.media.h264 import constant_times, encode
from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.types import Colour, FieldOrder, Timestamps

_LONGEST_SIDE = 16384  # of libx264
_MOST_BITS = 2e9  # per second: FFmpeg's numbers have 32 bits


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
  colour: Colour | None = None,
  field_order: FieldOrder | None = None,
  max_bytes: int | None = None,
) -> None:
  """Writes an H.264 MP4 that browsers play.

  Unless `colour` says otherwise, the matrix is BT.601 below 720 lines and BT.709 from
  720 on, limited range, and tagged: readers that ignore the tags then guess right. The
  same frames give the same bytes, on any number of CPUs: one thread encodes. The file
  appears under its name only once it is complete.

  Args:
    path: the file; replaced if it exists.
    frames: `[T, H, W, 3]` uint8 RGB, or T files of such frames; H and W even.
    frame_rate: frames per second.
    timestamps: when each frame is shown; None: the rate is constant.
    pixel_aspect: width of a pixel over its height, as shown.
    colour: the tags to write, those of the video that the frames come from; the
      frames' values are never converted to other primaries.
    field_order: of interlaced frames, whose height is a multiple of 4; None:
      progressive.
    max_bytes: quality is reduced until the file fits; None: nearly lossless.

  Raises:
    InputError: the height or width is odd, which 4:2:0 video does not allow, or too
      large.
    ValueError: the frames have another type or shape, the times another count, the
      rate or the aspect is not positive, or interlaced frames have another height.
    OSError: the file cannot be written.
  """
  size = _check(path, frames, frame_rate, timestamps, pixel_aspect, field_order)
  if timestamps is None:
    timestamps = constant_times(len(frames), frame_rate)
  options = {"crf": "14", "preset": "medium"}
  if max_bytes is not None:
    options = _bounded(max_bytes, timestamps)
  tags = colours.written_tags(colour, size[0])

  def set_up(context: VideoCodecContext) -> None:
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    context.colorspace, context.color_range = tags.matrix, tags.range
    if field_order is not None:
      context.flags |= Flags.interlaced_dct | Flags.interlaced_me

  encode(
    pathlib.Path(path),
    _pictures(frames, fields.make_marker(field_order, size), tags),
    size=size,
    pixel_format="yuv420p",
    frame_rate=frame_rate,
    timestamps=timestamps,
    pixel_aspect=fractions.Fraction(pixel_aspect),
    options=options,
    parameters=[
      *colours.x264_parameters(tags),
      *fields.x264_parameters(field_order),
    ],
    container_options={"movflags": "+faststart"},
    set_up=set_up,
  )


def _pictures(
  frames: Iterable[np.ndarray],
  mark: Callable[[av.VideoFrame], av.VideoFrame],
  tags: Colour,
) -> Iterator[av.VideoFrame]:
  """Yields the frames as the encoder takes them."""
  for frame in frames:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    yield colours.to_yuv(mark(rgb), tags)


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
  field_order: FieldOrder | None,
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
  if field_order is not None and height % fields.LINES:
    raise ValueError(
      f"interlaced frames need a height that is a multiple of {fields.LINES}, got"
      f" {height}"
    )
  check_largest(path, (height, width))
  if height % 2 or width % 2:
    raise InputError(
      f"{path}: H.264 video needs an even height and width, the frames are"
      f" {images.format_size((height, width))} (height x width)"
    )
  return height, width
