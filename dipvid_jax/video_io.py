"""Clips in and out: video files, and the choice between a file and a folder.

In memory a clip is `[T, H, W, 3]` uint8 RGB, upright, every frame that the file
holds.
"""

import contextlib
import fractions
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace

from dipvid_jax import atomic, images, sources
from dipvid_jax.errors import InputError
from dipvid_jax.images import write_images
from dipvid_jax.types import Video

__all__ = [
  "iter_frames",
  "read_frame_rate",
  "read_video",
  "write_images",
  "write_video",
]

# FFmpeg's numbers: the matrix (AVCOL_SPC_*), the primaries and the transfer curve.
_RGB, _BT709, _UNSPECIFIED, _RESERVED, _BT601 = 0, 1, 2, 3, 6
_HDR_CURVES = {16: "PQ", 18: "HLG"}

# libswscale's flags: bicubic, all chroma kept, exact rounding. Its default drops
# half of the chroma and costs about 9 dB in a round trip of a natural image.
_PRECISE = 0x4 | 0x2000 | 0x4000 | 0x40000


def read_video(
  path: pathlib.Path | str,
  *,
  folder_frame_rate: fractions.Fraction | int = 24,
  on_progress: Callable[[int], None] | None = None,
) -> Video:
  """Reads every frame of a video file or of a folder of images.

  Colours follow the stream's tags (BT.601, 709 or 2020; limited or full range);
  without them a height of 720 and more means BT.709, as players have it. The
  display matrix (rotation, mirroring) is applied. More than 8 bits a sample are
  rounded to 8.

  Args:
    path: a file that FFmpeg decodes, or a folder of 8-bit images, which are taken
      in natural order.
    folder_frame_rate: frames per second of a folder, which has none of its own.
    on_progress: called with the number of frames just read.

  Returns:
    The clip and its frame rate.

  Raises:
    InputError: missing, unreadable, damaged or cut-off file; no frames; frames of
      different sizes; an alpha channel; an HDR transfer curve; one single image.
  """
  path = pathlib.Path(path)
  kind = sources.source_kind(path)
  if kind == "image":
    raise InputError(
      f"{path}: is one image; a video file or a folder of images is needed"
    )
  if kind == "folder":
    frames = _stack(images.iter_folder(path), on_progress)
    return Video(frames, fractions.Fraction(folder_frame_rate))
  with _open_stream(path) as (container, stream):
    frames = _stack(_decode(path, container, stream), on_progress)
  return Video(frames, read_frame_rate(path))


def _stack(
  frames: Iterator[np.ndarray], on_progress: Callable[[int], None] | None
) -> np.ndarray:
  clip = []
  for frame in frames:
    clip.append(frame)
    if on_progress:
      on_progress(1)
  return np.stack(clip)


def iter_frames(path: pathlib.Path) -> Iterator[np.ndarray]:
  """Decodes a video file frame by frame, as `read_video` does.

  Yields:
    `[H, W, 3]` uint8 RGB.

  Raises:
    InputError: as `read_video`.
  """
  with _open_stream(path) as (container, stream):
    yield from _decode(path, container, stream)


def read_frame_rate(path: pathlib.Path) -> fractions.Fraction:
  """Reads what a video file says of its frames per second, and decodes nothing.

  Raises:
    InputError: the file cannot be opened, or does not say.
  """
  with _open_stream(path) as (_, stream):
    rate = stream.average_rate or stream.guessed_rate
  if not rate:
    raise InputError(f"{path}: the file does not say its frame rate")
  return fractions.Fraction(rate)


def write_video(
  path: pathlib.Path | str, frames: np.ndarray, frame_rate: fractions.Fraction
) -> None:
  """Writes an H.264 MP4 that browsers play, at a constant frame rate.

  The matrix is BT.601 below 720 lines and BT.709 from there on, limited range, and
  tagged: readers that ignore the tags then guess right. The file takes its name
  only when it is whole.

  Args:
    path: the file, which is replaced if it exists.
    frames: `[T, H, W, 3]` uint8 RGB, H and W even.
    frame_rate: frames per second.

  Raises:
    InputError: an odd height or width, which 4:2:0 video cannot have.
    ValueError: frames of another type or shape, or a rate that is not positive.
    OSError: the file cannot be written.
  """
  images.check_frames(frames)
  rate = fractions.Fraction(frame_rate).limit_denominator(1_000_000)
  if rate <= 0:
    raise ValueError(f"frame_rate must be positive, got {frame_rate}")
  height, width = frames.shape[1:3]
  if height % 2 or width % 2:
    raise InputError(
      f"{path}: H.264 video needs an even width and height, the frames are"
      f" {images.format_size((height, width))}"
    )
  with (
    atomic.replacing(pathlib.Path(path)) as partial,
    av.open(
      _url(partial), "w", format="mp4", options={"movflags": "+faststart"}
    ) as container,
  ):
    stream = container.add_stream(
      "libx264", rate=rate, options={"crf": "14", "preset": "medium"}
    )
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / rate
    context.colorspace = _matrix_of(height)
    context.color_primaries = context.color_trc = _BT709
    context.color_range = ColorRange.MPEG
    for number, frame in enumerate(frames):
      container.mux(stream.encode(_to_yuv(frame, number)))
    container.mux(stream.encode())


def _to_yuv(frame: np.ndarray, number: int) -> av.VideoFrame:
  rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
  bt709 = _matrix_of(rgb.height) == _BT709
  yuv = rgb.reformat(
    format="yuv420p",
    dst_colorspace=Colorspace.ITU709 if bt709 else Colorspace.ITU601,
    src_color_range=ColorRange.JPEG,
    dst_color_range=ColorRange.MPEG,
    interpolation=_PRECISE,
  )
  yuv.pts = number
  return yuv


def _matrix_of(height: int) -> int:
  """The matrix that video of this height has by convention."""
  return _BT709 if height >= 720 else _BT601


def _url(path: pathlib.Path) -> str:
  # The protocol is spelled out so that a colon in a file's name is not read as one.
  return f"file:{path.absolute()}"


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
      _url(path),
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
) -> Iterator[np.ndarray]:
  """Yields every frame of a stream, `[H, W, 3]` uint8 RGB, upright."""
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
          f" {images.format_size((frame.height, frame.width))} within the video"
        )
      yield _upright(_to_rgb(frame), frame)
  if size is None:
    raise InputError(f"{path}: holds no frames")


def _check_stream(
  path: pathlib.Path, stream: av.VideoStream, frame: av.VideoFrame
) -> None:
  alpha = any(component.is_alpha for component in frame.format.components)
  # VP8 and VP9 keep their alpha beside the stream, where the decoder drops it.
  if alpha or stream.metadata.get("alpha_mode") == "1":
    raise InputError(
      f"{path}: has an alpha channel; write it without one (a mask belongs in a file"
      " of its own, grey, 255 in the hole)"
    )
  if curve := _HDR_CURVES.get(frame.color_trc):
    raise InputError(
      f"{path}: is HDR video ({curve}); convert it to ordinary BT.709 video first"
    )


def _to_rgb(frame: av.VideoFrame) -> np.ndarray:
  untagged = frame.colorspace in (_RGB, _UNSPECIFIED, _RESERVED)
  if untagged and not frame.format.is_rgb:
    frame.colorspace = _matrix_of(frame.height)
  return frame.reformat(format="rgb24", interpolation=_PRECISE).to_ndarray()


def _upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
  """Turns and mirrors an image as the frame's display matrix says."""
  side_data: Any = frame.side_data  # PyAV's stubs name two of its kinds only
  try:
    matrix = side_data[SideDataType.DISPLAYMATRIX]
  except KeyError:
    return image
  a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
  if not a and not d and b and c:
    image = np.swapaxes(image, 0, 1)
    flip_x, flip_y = c < 0, b < 0
  elif not b and not c and a and d:
    flip_x, flip_y = a < 0, d < 0
  else:
    return image  # a free angle: players ignore it, too
  return image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
