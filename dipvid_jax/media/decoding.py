"""Opens a video file and decodes its frames; what is wrong with it becomes one line.

What a header says is a hint: nothing is allocated for it, and a picture larger than
the file can hold is refused before it is decoded.
"""

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import InputContainer

from dipvid_jax.errors import InputError
from dipvid_jax.media import colours, images, sources
from dipvid_jax.media.orientation import DisplayMatrix, display_matrix, upright
from dipvid_jax.types import Colour

# FFmpeg's own decoders of these codecs drop the alpha, which lies beside the pictures.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_Decode = Callable[[av.Packet], list[av.VideoFrame]]


class Decoded(NamedTuple):
  """A frame and what its file says of it.

  Attributes:
    image: `[H, W, 3]` uint8 RGB, upright.
    start, duration: in ticks of the stream; None if the file does not say.
    bit_depth: bits per sample, which were rounded to 8.
    matrix: how the frame was turned to be upright.
    colour: the tags of its colours.
    interlaced: its lines are two fields, taken one after the other.
  """

  image: np.ndarray
  start: int | None
  duration: int | None
  bit_depth: int
  matrix: DisplayMatrix
  colour: Colour
  interlaced: bool


@contextlib.contextmanager
def open_stream(
  path: pathlib.Path,
) -> Iterator[tuple[InputContainer, av.VideoStream]]:
  """Opens a file and its first video stream; FFmpeg's errors become one line.

  Raises:
    InputError: the file cannot be opened, is cut off or holds no video that can be
      decoded, or FFmpeg fails while it is open.
  """
  try:
    if missing := sources.missing_bytes(path):
      raise InputError(
        f"{path}: the file is cut off, {missing:,} bytes are missing at its end;"
        " copy it again"
      )
    limit = {"max_pixels": str(sources.most_pixels(path.stat().st_size))}
    with av.open(
      sources.ffmpeg_url(path),
      options=limit,
      # A playlist under a video's name must not reach for the network.
      container_options={"protocol_whitelist": "file"},
      metadata_errors="replace",
    ) as container:
      cover = av.stream.Disposition.attached_pic
      streams = [s for s in container.streams.video if not s.disposition & cover]
      if not streams:
        raise InputError(f"{path}: holds no video stream")
      _check_codec(path, container, streams[0])
      streams[0].codec_context.options = limit
      streams[0].thread_type = "AUTO"
      yield container, streams[0]
  except av.EOFError as error:
    raise InputError(f"{path}: holds no frames") from error
  except (av.FFmpegError, OSError) as error:
    raise InputError(
      f"{path}: cannot be read as a video ({sources.os_reason(error)}); it is damaged"
      " or not a video"
    ) from error


def decode(
  path: pathlib.Path, container: InputContainer, stream: av.VideoStream
) -> Iterator[Decoded]:
  """Decodes every frame of a stream.

  Raises:
    InputError: there are no frames, their size changes, one of them cannot be opaque
      RGB of 8 bits, or the data are damaged.
  """
  size = None
  for frame in _frames(path, container, stream):
    decoded = _describe(path, frame)
    height_width = decoded.image.shape[:2]
    size = size or height_width
    if size != height_width:
      raise InputError(
        f"{path}: the frame size changes from {images.format_size(size)} to"
        f" {images.format_size(height_width)} (height x width) within the video"
      )
    yield decoded
  if size is None:
    raise InputError(f"{path}: holds no frames")


def _check_codec(
  path: pathlib.Path, container: InputContainer, stream: av.VideoStream
) -> None:
  context = stream.codec_context
  if context is None:
    name = _codec_name(container, stream)
    raise InputError(
      f"{path}: no decoder for codec {name}; convert the video first, for example to"
      " H.264"
    )
  size = (context.height, context.width)
  sources.check_size(path, size, path.stat().st_size)


def _codec_name(container: InputContainer, stream: av.VideoStream) -> str:
  """The name or the tag of a codec without a decoder, which only a log line has."""
  described: Any = container  # PyAV's stubs lack the method
  level = av.logging.get_level()
  av.logging.set_level(av.logging.INFO)
  try:
    described = described.dumps_format()
  finally:
    av.logging.set_level(level)
  line = re.search(rf"Stream #0:{stream.index}\b.*?: Video: (\w+)(.*)", described)
  name, rest = line.groups() if line else ("none", "")
  tag = re.search(r"\((\S+) / 0x", rest)
  if name != "none":
    return name
  return tag[1] if tag else "of an unknown name"


def _frames(
  path: pathlib.Path, container: InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
  """Yields the stream's frames, as FFmpeg decodes them."""
  decode_packet = _decoder(path, stream)
  for packet in container.demux(stream):
    if packet.is_corrupt:
      raise InputError(f"{path}: the file is damaged or cut off; copy it again")
    yield from decode_packet(packet)


def _decoder(path: pathlib.Path, stream: av.VideoStream) -> _Decode:
  """The function that decodes a packet, with its alpha where there is one."""
  if stream.metadata.get("alpha_mode") != "1":
    return lambda packet: packet.decode()
  context = stream.codec_context
  try:
    name = _ALPHA_DECODERS[context.name]
    decoder: Any = av.VideoCodecContext.create(name, "r")
  except (KeyError, av.codec.codec.UnknownCodecError):
    raise _alpha(path) from None
  decoder.options = context.options
  return decoder.decode


def _describe(path: pathlib.Path, frame: av.VideoFrame) -> Decoded:
  if _is_see_through(frame):
    raise _alpha(path)
  colour = colours.read_tags(frame)
  if reason := colours.unreadable(colour):
    raise InputError(f"{path}: {reason}")
  matrix = display_matrix(frame)
  return Decoded(
    image=upright(colours.to_rgb(frame), matrix),
    start=frame.pts,
    duration=frame.duration,
    bit_depth=max(component.bits for component in frame.format.components),
    matrix=matrix,
    colour=colour,
    interlaced=frame.interlaced_frame,
  )


def _is_see_through(frame: av.VideoFrame) -> bool:
  """Whether a pixel is not opaque; many programs write an alpha that is 255."""
  has_alpha = any(component.is_alpha for component in frame.format.components)
  if not has_alpha and frame.format.name != "pal8":
    return False
  rgba = frame.reformat(format="rgba")
  lines = np.frombuffer(memoryview(rgba.planes[0]), np.uint8).reshape(rgba.height, -1)
  return bool(lines[:, 3 : 4 * rgba.width : 4].min() < 255)


def _alpha(path: pathlib.Path) -> InputError:
  return InputError(
    f"{path}: has an alpha channel; write it without one (a mask belongs in a"
    " separate grey file, 255 in the hole)"
  )
