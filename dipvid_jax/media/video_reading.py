"""Reads clips from video files and from folders of images.

In memory a clip is `[T, H, W, 3]` uint8 RGB, upright, with every frame of the file.
"""

import contextlib
import fractions
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, sources
from dipvid_jax.media.frame_times import DEFAULT_FRAME_RATE, frame_times
from dipvid_jax.media.stacking import stack
from dipvid_jax.media.video_writing import PRECISE, conventional_matrix
from dipvid_jax.types import Video

# FFmpeg's numbers of a matrix (AVCOL_SPC_*) and of a transfer curve.
_RGB, _UNSPECIFIED, _RESERVED = 0, 2, 3
_HDR_CURVES = {16: "PQ", 18: "HLG"}

_NO_IMAGE = np.empty((0, 0, 3), np.uint8)
_T = TypeVar("_T")


class _Decoded(NamedTuple):
  """A frame, `[H, W, 3]` uint8 RGB, upright, and its metadata."""

  image: np.ndarray
  start: int | None
  duration: int | None
  bit_depth: int
  quarter_turn: bool


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
  with _open_stream(path) as (container, stream):
    said: list[_Decoded] = []
    decoded = _counted(_decode(path, container, stream), on_progress)
    frames = stack(_images(decoded, said))
    rate, timestamps = frame_times(
      [frame.start for frame in said],
      last_duration=said[-1].duration,
      time_base=stream.time_base,
      stated_rate=stream.average_rate or stream.guessed_rate,
    )
    pixel_aspect = stream.sample_aspect_ratio or fractions.Fraction(1)
    has_audio = bool(container.streams.audio)
  if not rate:
    raise InputError(f"{path}: the file does not say its frame rate")
  return Video(
    frames=frames,
    frame_rate=rate,
    timestamps=timestamps,
    pixel_aspect=1 / pixel_aspect if said[0].quarter_turn else pixel_aspect,
    bit_depth=said[0].bit_depth,
    audio=path if has_audio else None,
  )


def _counted(
  frames: Iterable[_T], on_progress: Callable[[int], None] | None
) -> Iterator[_T]:
  for frame in frames:
    yield frame
    if on_progress:
      on_progress(1)


def _images(decoded: Iterable[_Decoded], said: list[_Decoded]) -> Iterator[np.ndarray]:
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
  with _open_stream(path) as (container, stream):
    for frame in _decode(path, container, stream):
      yield frame.image


def read_frame_rate(path: pathlib.Path) -> fractions.Fraction:
  """Reads the frame rate that a video file states, without decoding it.

  Raises:
    InputError: the file cannot be opened or states no frame rate.
  """
  with _open_stream(path) as (_, stream):
    rate = stream.average_rate or stream.guessed_rate
  if not rate:
    raise InputError(f"{path}: the file does not say its frame rate")
  return fractions.Fraction(rate)


@contextlib.contextmanager
def _open_stream(
  path: pathlib.Path,
) -> Iterator[tuple[InputContainer, av.VideoStream]]:
  """Opens a file and its first video stream; FFmpeg's errors become one line."""
  try:
    if missing := sources.missing_bytes(path):
      raise InputError(
        f"{path}: the file is cut off, {missing:,} bytes are missing at its end;"
        " copy it again"
      )
    with av.open(
      sources.ffmpeg_url(path),
      # A playlist under a video's name must not reach for the network.
      container_options={"protocol_whitelist": "file"},
      metadata_errors="replace",
    ) as container:
      cover = av.stream.Disposition.attached_pic
      streams = [s for s in container.streams.video if not s.disposition & cover]
      if not streams:
        raise InputError(f"{path}: holds no video stream")
      streams[0].thread_type = "AUTO"
      yield container, streams[0]
  except av.EOFError as error:
    raise InputError(f"{path}: holds no frames") from error
  except (av.FFmpegError, OSError) as error:
    raise InputError(
      f"{path}: cannot be read as a video ({sources.os_reason(error)}); it is damaged"
      " or not a video"
    ) from error


def _decode(
  path: pathlib.Path, container: InputContainer, stream: av.VideoStream
) -> Iterator[_Decoded]:
  """Yields every frame of a stream."""
  size = None
  for packet in container.demux(stream):
    if packet.is_corrupt:
      raise InputError(f"{path}: the file is damaged or cut off; copy it again")
    for frame in packet.decode():
      if size is None:
        _check_stream(path, stream, frame)
        size = (frame.height, frame.width)
      elif size != (frame.height, frame.width):
        raise InputError(
          f"{path}: the frame size changes from {images.format_size(size)} to"
          f" {images.format_size((frame.height, frame.width))} (height x width) within"
          " the video"
        )
      yield _describe(frame)
  if size is None:
    raise InputError(f"{path}: holds no frames")


def _describe(frame: av.VideoFrame) -> _Decoded:
  bit_depth = max(component.bits for component in frame.format.components)
  matrix = _display_matrix(frame)
  return _Decoded(
    image=_upright(_to_rgb(frame), matrix),
    start=frame.pts,
    duration=frame.duration,
    bit_depth=bit_depth,
    quarter_turn=_is_quarter_turn(matrix),
  )


def _check_stream(
  path: pathlib.Path, stream: av.VideoStream, frame: av.VideoFrame
) -> None:
  alpha = any(component.is_alpha for component in frame.format.components)
  # VP8 and VP9 store their alpha beside the stream, and the decoder drops it.
  if alpha or stream.metadata.get("alpha_mode") == "1":
    raise InputError(
      f"{path}: has an alpha channel; write it without one (a mask belongs in a"
      " separate grey file, 255 in the hole)"
    )
  if curve := _HDR_CURVES.get(frame.color_trc):
    raise InputError(
      f"{path}: is HDR video ({curve}); convert it to ordinary BT.709 video first"
    )


def _to_rgb(frame: av.VideoFrame) -> np.ndarray:
  untagged = frame.colorspace in (_RGB, _UNSPECIFIED, _RESERVED)
  if untagged and not frame.format.is_rgb:
    frame.colorspace = conventional_matrix(frame.height)
  return frame.reformat(format="rgb24", interpolation=PRECISE).to_ndarray()


def _upright(image: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
  """Turns and mirrors an image according to a display matrix."""
  a, b, c, d = matrix
  if _is_quarter_turn(matrix):
    image = np.swapaxes(image, 0, 1)
    flip_x, flip_y = c < 0, b < 0
  elif not b and not c and a and d:
    flip_x, flip_y = a < 0, d < 0
  else:
    return image  # players also ignore other angles
  return image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


def _is_quarter_turn(matrix: tuple[int, int, int, int]) -> bool:
  a, b, c, d = matrix
  return not a and not d and bool(b and c)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
  """The four numbers of the frame's display matrix that turn and mirror."""
  side_data: Any = frame.side_data  # PyAV's stubs name only two of its kinds
  try:
    matrix = side_data[SideDataType.DISPLAYMATRIX]
  except KeyError:
    return 1, 0, 0, 1
  a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
  return a, b, c, d
