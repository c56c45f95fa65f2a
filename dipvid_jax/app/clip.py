"""The clip that is open: its frames, its scenes, its pictures for the page."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.scene_cuts import find_cuts
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.types import Video

_QUALITY = 92  # of JPEG


class OpenClip(NamedTuple):
  """A clip in memory.

  Attributes:
    path: its file or folder.
    name: as shown.
    video: all frames.
    scenes: between its cuts.
  """

  path: Path
  name: str
  video: Video
  scenes: tuple[slice, ...]

  @property
  def size(self) -> tuple[int, int]:
    """(H, W) of the frames."""
    height, width = self.video.frames.shape[1:3]
    return height, width


def open_clip(path: Path, name: str, *, on_progress: Callable[[int], None]) -> OpenClip:
  """Reads a clip and finds its cuts.

  Args:
    path: a video or a folder of images.
    name: as shown.
    on_progress: called with finished frames.

  Returns:
    The clip.

  Raises:
    InputError: it cannot be read, or its frames are too large for a video.
  """
  video = read_video(path, on_progress=on_progress)
  height, width = video.frames.shape[1:3]
  check_largest(path, (height, width))
  scenes = find_cuts(video.frames, on_progress=lambda _: on_progress(0))
  return OpenClip(path, name, video, scenes)


def as_jpeg(frame: np.ndarray) -> bytes:
  """A frame `[H, W, 3]` uint8 RGB as a JPEG file."""
  quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
  _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality)
  return data.tobytes()


def as_png(labels: np.ndarray) -> bytes:
  """Labels `[H, W]` uint8 as a grey PNG file."""
  fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
  return cv2.imencode(".png", np.ascontiguousarray(labels), fast)[1].tobytes()


def from_png(data: bytes, size: tuple[int, int]) -> np.ndarray:
  """Labels in the first channel of a PNG file.

  Args:
    data: the file.
    size: (H, W) that it must have.

  Returns:
    `[H, W]` uint8.

  Raises:
    InputError: it is no such file.
  """
  stated = _png_size(data)
  if stated != size:
    raise InputError(
      f"the picture must be a PNG of {size[1]} x {size[0]} pixels"
      + (f", it has {stated[1]} x {stated[0]}" if stated else "")
    )
  image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
  if image is None or image.dtype != np.uint8 or image.shape[:2] != size:
    raise InputError("the picture is damaged, or not of 8 bits")
  # OpenCV's order is blue, green, red.
  return np.ascontiguousarray(image if image.ndim == 2 else image[..., 2])


def _png_size(data: bytes) -> tuple[int, int] | None:
  """(H, W) as the file's header states it, before anything is decoded."""
  if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 33:
    return None
  read = functools.partial(int.from_bytes, byteorder="big")
  return read(data[20:24]), read(data[16:20])
