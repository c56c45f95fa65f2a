"""Reads clips from video files and from folders of images.

In memory a clip is `[T, H, W, 3]` uint8 RGB, upright, with every frame of the file.
"""

import fractions
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import av
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, sources
from dipvid_jax.media.decoding import Decoded, decode, open_stream
from dipvid_jax.media.fields import LINES, stated_order
from dipvid_jax.media.frame_times import DEFAULT_FRAME_RATE, frame_times, likely_rate
from dipvid_jax.media.orientation import DisplayMatrix
from dipvid_jax.media.stacking import stack
from dipvid_jax.types import FieldOrder, Video

_MOST_ASPECT = 16  # of a pixel; DV's is 1.46, anamorphic 2
_NO_IMAGE = np.empty((0, 0, 3), np.uint8)
_T = TypeVar("_T")


def read_video(
  path: pathlib.Path | str,
  *,
  folder_frame_rate: fractions.Fraction | int = DEFAULT_FRAME_RATE,
  on_progress: Callable[[int], None] | None = None,
) -> Video:
  """Reads every frame of a video file or of a folder of images.

  Colours follow the stream's tags (BT.601, 709 or 2020; limited or full range). If
  there are none, heights of 720 and more mean BT.709, as in players. The display
  matrix (rotation, mirroring) is applied. More than 8 bits per sample are rounded
  to 8.

  Args:
    path: a file that FFmpeg decodes, or a folder of 8-bit images, read in natural
      order.
    folder_frame_rate: frames per second of a folder, which does not store any.
    on_progress: called with the number of frames just read.

  Returns:
    The clip, with the metadata that a result needs to be shown like it.

  Raises:
    InputError: the file is missing, unreadable, damaged or cut off; it has no frames,
      frames of different sizes, an alpha channel or an HDR transfer curve; or it is
      a single image.
  """
  path = pathlib.Path(path)
  kind = sources.source_kind(path)
  if kind == "image":
    raise InputError(
      f"{path}: is one image; a video file or a folder of images is needed"
    )
  if kind == "folder":
    frames = stack(_counted(images.iter_folder(path), on_progress))
    return Video(frames, fractions.Fraction(folder_frame_rate))
  with open_stream(path) as (container, stream):
    said: list[Decoded] = []
    decoded = _counted(decode(path, container, stream), on_progress)
    frames = stack(_images(decoded, said))
    rate, timestamps = frame_times(
      [frame.start for frame in said],
      last_duration=said[-1].duration,
      time_base=stream.time_base,
      stated_rate=_stated_rate(stream),
    )
    stated_aspect = stream.sample_aspect_ratio or fractions.Fraction(1)
    order = stated_order(
      stream.codec_context.field_order,
      interlaced=any(frame.interlaced for frame in said),
    )
    has_audio = bool(container.streams.audio)
  first = said[0]
  lost = _lost_fields(first.matrix, frames.shape[1])
  pixel_aspect = stated_aspect if _is_likely(stated_aspect) else fractions.Fraction(1)
  return Video(
    frames=frames,
    frame_rate=_needed(path, rate),
    timestamps=timestamps,
    pixel_aspect=1 / pixel_aspect if first.matrix.is_quarter_turn else pixel_aspect,
    bit_depth=first.bit_depth,
    colour=first.colour,
    field_order=None if lost else order,
    remarks=(*_remarks(first, stated_aspect, order, lost),),
    audio=path if has_audio else None,
  )


def _counted(
  frames: Iterable[_T], on_progress: Callable[[int], None] | None
) -> Iterator[_T]:
  for frame in frames:
    yield frame
    if on_progress:
      on_progress(1)


def _images(decoded: Iterable[Decoded], said: list[Decoded]) -> Iterator[np.ndarray]:
  """Yields the images and collects the rest in `said`."""
  for frame in decoded:
    said.append(frame._replace(image=_NO_IMAGE))
    yield frame.image


def iter_frames(path: pathlib.Path) -> Iterator[np.ndarray]:
  """Decodes a video file frame by frame, as `read_video` does.

  Yields:
    `[H, W, 3]` uint8 RGB.

  Raises:
    InputError: see `read_video`.
  """
  with open_stream(path) as (container, stream):
    for frame in decode(path, container, stream):
      yield frame.image


def read_frame_rate(path: pathlib.Path) -> fractions.Fraction:
  """Reads the frame rate that a video file states, without decoding it.

  Raises:
    InputError: the file cannot be opened or states no frame rate.
  """
  with open_stream(path) as (_, stream):
    return _needed(path, likely_rate(_stated_rate(stream)))


def _stated_rate(stream: av.VideoStream) -> fractions.Fraction | None:
  return likely_rate(stream.average_rate) or stream.guessed_rate


def _needed(path: pathlib.Path, rate: fractions.Fraction | None) -> fractions.Fraction:
  if not rate:
    raise InputError(
      f"{path}: the file does not say its frame rate; convert it to a file that does,"
      " or give its frames as a folder of images"
    )
  return rate


def _lost_fields(matrix: DisplayMatrix, height: int) -> str:
  """Why interlaced frames cannot be written with their field order, if so."""
  if matrix.changes:
    return "its frames are turned"
  if height % LINES:
    return f"its height is no multiple of {LINES}"
  return ""


def _is_likely(pixel_aspect: fractions.Fraction) -> bool:
  return 1 <= _MOST_ASPECT * pixel_aspect <= _MOST_ASPECT**2


def _remarks(
  frame: Decoded,
  pixel_aspect: fractions.Fraction,
  order: FieldOrder | None,
  lost: str,
) -> Iterator[str]:
  """Says what is not kept as the file has it, a line each."""
  if frame.bit_depth > 8:
    yield f"{frame.bit_depth} bits a sample are rounded to 8"
  if frame.matrix.changes:
    yield "its frames are turned upright, as players show them, and written so"
  if not _is_likely(pixel_aspect):
    yield f"says that pixels are {pixel_aspect} times as wide as high; taken as square"
  if order is not None:
    tagged = f"as progressive, because {lost}" if lost else "with the same tag"
    yield (
      f"is interlaced ({order} field first); its lines are kept as they are and written"
      f" {tagged}; deinterlace it first for a better fill"
    )
