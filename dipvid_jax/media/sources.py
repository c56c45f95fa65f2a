"""What a path holds, found out before anything is decoded."""

import pathlib
import stat
import struct
from typing import BinaryIO, Literal

from dipvid_jax.errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm"})

_EBML_MAGIC = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
# The boxes at the top level of an MP4 or MOV file.
_MP4_BOXES = frozenset(
  b"ftyp styp moov moof mdat mfra free skip wide meta uuid sidx ssix prft pdin".split()
)
_RIFF_SIZES_UNKNOWN = (0, 0xFFFFFFFF)

# Pictures of up to 8K are always believed. A larger one takes a byte for 8,192 pixels
# even if it is flat: PNG shrinks bytes to a 1,032nd at most.
_ALWAYS_BELIEVED = 2**25
_PIXELS_A_BYTE = 2**13
_MOST_PIXELS = 2**30  # OpenCV's own limit


def source_kind(path: pathlib.Path) -> Literal["folder", "image", "video"]:
  """Tells a folder, an image file (by its suffix) and any other file apart.

  Raises:
    InputError: the path cannot be read, or is neither a folder nor a regular file
      that has content.
  """
  try:
    status = path.stat()
  except (OSError, ValueError) as error:
    raise InputError(f"{path}: {os_reason(error)}") from error
  if stat.S_ISDIR(status.st_mode):
    return "folder"
  if not stat.S_ISREG(status.st_mode):
    raise InputError(f"{path}: is neither a file nor a folder")
  if status.st_size == 0:
    raise InputError(f"{path}: the file is empty (0 bytes)")
  return "image" if path.suffix.lower() in IMAGE_SUFFIXES else "video"


def ffmpeg_url(path: pathlib.Path) -> str:
  """A path as a URL, in which FFmpeg takes no colon for the end of a protocol."""
  return f"file:{path.absolute()}"


def os_reason(error: Exception) -> str:
  """The operating system's message, without the path that it repeats."""
  return getattr(error, "strerror", None) or str(error)


def most_pixels(file_bytes: int) -> int:
  """How many pixels a picture in a file of this many bytes can have.

  A header may claim any size; memory is not taken on its word.
  """
  return min(_MOST_PIXELS, max(_ALWAYS_BELIEVED, _PIXELS_A_BYTE * file_bytes))


def check_size(path: pathlib.Path, size: tuple[int, int], file_bytes: int) -> None:
  """Checks a picture's size before it is decoded.

  Args:
    path: the file that the line names.
    size: (H, W) as a header states it.
    file_bytes: the file's length.

  Raises:
    InputError: a file of this length cannot hold such a picture.
  """
  if size[0] * size[1] > most_pixels(file_bytes):
    raise InputError(
      f"{path}: claims pictures of {size[0]}x{size[1]} (height x width), too large for"
      f" a file of {file_bytes:,} bytes; it is damaged"
    )


def missing_bytes(path: pathlib.Path) -> int:
  """How much shorter a video file is than its container declares.

  Decoders stop silently at the end of the data, so a file that was cut off would
  pass for a shorter clip. MP4/MOV, Matroska/WebM and AVI all declare their length.

  Args:
    path: a video file.

  Returns:
    Bytes missing at the end; 0 for a complete file, for one of open length (live
    recordings), and for other containers.
  """
  size = path.stat().st_size
  with path.open("rb") as file:
    head = file.read(12)
    if head[:4] == _EBML_MAGIC:
      end = _matroska_end(file)
    elif head[:4] == b"RIFF":
      end = _riff_end(head)
    elif head[4:8] in _MP4_BOXES:
      end = _mp4_end(file, size)
    else:
      end = 0
  return max(0, end - size)


def _riff_end(head: bytes) -> int:
  """End of the first RIFF chunk; a long AVI has more of them after it."""
  declared = struct.unpack("<I", head[4:8])[0]
  return 0 if declared in _RIFF_SIZES_UNKNOWN else 8 + declared


def _mp4_end(file: BinaryIO, size: int) -> int:
  """End of the last top-level box of an MP4 or MOV file of `size` bytes."""
  position = 0
  while position + 8 <= size:
    file.seek(position)
    head = file.read(16)
    if head[4:8] not in _MP4_BOXES:
      return position  # cameras append their own data after the last box
    length = struct.unpack(">I", head[:4])[0]
    header = 8
    if length == 1 and len(head) == 16:
      length, header = struct.unpack(">Q", head[8:])[0], 16
    if length == 0:
      return size  # this box extends to the end of the file
    if length < header:
      return 0  # damaged: FFmpeg will say how
    position += length
  return position


def _matroska_end(file: BinaryIO) -> int:
  """End of the segment of a Matroska or WebM file; 0 if its length is open."""
  file.seek(4)
  header_length = _ebml_size(file)
  if header_length is None:
    return 0
  file.seek(header_length, 1)
  if file.read(4) != _MATROSKA_SEGMENT:
    return 0
  length = _ebml_size(file)
  return 0 if length is None else file.tell() + length


def _ebml_size(file: BinaryIO) -> int | None:
  """Reads one EBML length; None if it is open or cannot be read."""
  first = file.read(1)
  if not first or not first[0]:
    return None
  width = 9 - first[0].bit_length()
  rest = file.read(width - 1)
  value = int.from_bytes(first + rest, "big") & ((1 << 7 * width) - 1)
  unknown = len(rest) < width - 1 or value == (1 << 7 * width) - 1
  return None if unknown else value
