"""Videos and sequences of masks by name, from several kinds of places.

A place is a folder of video files and folders of images, the folder of DAVIS, or a
data set of TensorFlow Datasets.
"""

import dataclasses
import itertools
import os
import pathlib
from typing import Literal, Protocol

import numpy as np

from dipvid_jax.composed.recipe import ClipFacts, MaskFacts
from dipvid_jax.errors import InputError
from dipvid_jax.media import images, sources, video_reading
from dipvid_jax.media.data_sets import VideoSet, find_sets
from dipvid_jax.media.frame_times import DEFAULT_FRAME_RATE
from dipvid_jax.media.masks import HOLE_ABOVE, read_mask

Content = Literal["frames", "masks"]

_DAVIS = {"frames": "JPEGImages", "masks": "Annotations"}
_DAVIS_RESOLUTION = "480p"


class Clip(Protocol):
  """One video, or one sequence of masks."""

  @property
  def name(self) -> str:
    """Its name in the library."""

  def facts(self) -> ClipFacts:
    """Finds the number, size and rate of the frames."""

  def frames(self, first: int, count: int) -> np.ndarray:
    """Reads `[count, H, W, 3]` uint8 RGB, starting at the frame `first`."""

  def masks(self) -> np.ndarray:
    """Reads all masks, `[T, H, W]` bool, True in the hole."""


@dataclasses.dataclass(frozen=True)
class FileClip:
  """A video file or a folder of images.

  Attributes:
    name: the file's or folder's, without suffix, in UTF-8.
    path: the file or folder.
  """

  name: str
  path: pathlib.Path

  def facts(self) -> ClipFacts:
    """See `Clip`; a video file is decoded, the only reliable way to count frames."""
    if self.path.is_dir():
      files = images.list_images(self.path)
      size = images.read_image(files[0]).shape[:2]
      return ClipFacts(self.name, len(files), size, str(DEFAULT_FRAME_RATE))
    count, size = 0, (0, 0)
    for frame in video_reading.iter_frames(self.path):
      count, size = count + 1, frame.shape[:2]
    rate = str(video_reading.read_frame_rate(self.path))
    return ClipFacts(self.name, count, size, rate)

  def frames(self, first: int, count: int) -> np.ndarray:
    """See `Clip`."""
    read = images.iter_folder if self.path.is_dir() else video_reading.iter_frames
    return np.stack([*itertools.islice(read(self.path), first, first + count)])

  def masks(self) -> np.ndarray:
    """See `Clip`; in any form that `read_mask` takes."""
    facts = self.facts()
    masks = read_mask(self.path, frame_count=facts.frame_count, size=facts.size)
    return masks[..., 0] > HOLE_ABOVE


@dataclasses.dataclass(frozen=True)
class SetClip:
  """A video of a data set.

  Attributes:
    name: its id.
    held: the set.
  """

  name: str
  held: VideoSet

  def facts(self) -> ClipFacts:
    """See `Clip`."""
    shape = self.held.frames(self.name).shape
    rate = self.held.frame_rate(self.name) or str(DEFAULT_FRAME_RATE)
    return ClipFacts(self.name, shape[0], shape[1:3], rate)

  def frames(self, first: int, count: int) -> np.ndarray:
    """See `Clip`."""
    return self.held.frames(self.name)[first : first + count]

  def masks(self) -> np.ndarray:
    """See `Clip`; every object in an annotation is hole."""
    return self.held.masks(self.name)[..., 0] > 0


def open_library(place: str | pathlib.Path, *, content: Content) -> dict[str, Clip]:
  """Finds the videos or the sequences of masks in a place.

  Args:
    place: a folder whose video files and folders of images are one clip each; a
      folder of images or a video file, which is one clip; DAVIS's folder (the one with
      JPEGImages and Annotations, read at 480p or at its only resolution); or a data
      set as `VideoSet` takes it.
    content: what to read; it selects one of the two folders of DAVIS.

  Returns:
    The clips by name, sorted.

  Raises:
    InputError: the place holds no clips, or two clips have one name.
  """
  folder = pathlib.Path(place)
  if not folder.exists() or (folder.is_dir() and find_sets(folder)):
    held = VideoSet(place)
    return {name: SetClip(name, held) for name in sorted(held.places)}
  folder = _inside_davis(folder, content)
  if folder.is_file() or _holds_images(folder):
    name = _as_text(folder.stem)
    return {name: FileClip(name, folder)}
  return _list_clips(folder)


def mask_facts(clip: Clip) -> MaskFacts:
  """Reads a sequence of masks and finds a pixel of each frame's hole.

  Args:
    clip: of masks.

  Returns:
    Its facts.

  Raises:
    InputError: as `read_mask`, or no frame has a hole.
  """
  masks = clip.masks()
  centres = np.stack([_hole_centre(mask) for mask in masks])
  if np.isnan(centres).all():
    raise InputError(f"{clip.name}: no frame has a hole")
  return MaskFacts(clip.name, masks.shape[1:], centres)


def _hole_centre(mask: np.ndarray) -> np.ndarray:
  """(y, x) of the hole's pixel nearest to its mean, as fractions; else NaN."""
  pixels = np.argwhere(mask)
  if not len(pixels):
    return np.full(2, np.nan)
  distances = np.square(pixels - pixels.mean(axis=0)).sum(axis=1)
  return (pixels[distances.argmin()] + 0.5) / mask.shape


def _list_clips(folder: pathlib.Path) -> dict[str, Clip]:
  clips: dict[str, Clip] = {}
  for path in sorted(folder.iterdir()):
    if path.name.startswith(".") or not _is_clip(path):
      continue
    name = _as_text(path.name if path.is_dir() else path.stem)
    if name in clips:
      raise InputError(f"{folder}: holds two clips named {name}; rename one")
    clips[name] = FileClip(name, path)
  if not clips:
    raise InputError(
      f"{folder}: holds no clips; give a folder of video files or of folders of images"
    )
  return clips


def _as_text(name: str) -> str:
  """A file's name in UTF-8, as a data set keeps it; its bytes may be no UTF-8."""
  return os.fsencode(name).decode("utf-8", "replace")


def _inside_davis(folder: pathlib.Path, content: Content) -> pathlib.Path:
  inside = folder / _DAVIS[content]
  if not inside.is_dir():
    return folder
  resolutions = sorted(path for path in inside.iterdir() if path.is_dir())
  preferred = inside / _DAVIS_RESOLUTION
  if preferred in resolutions:
    return preferred
  if len(resolutions) != 1:
    raise InputError(
      f"{inside}: holds {', '.join(path.name for path in resolutions) or 'nothing'};"
      " name the folder of one resolution"
    )
  return resolutions[0]


def _is_clip(path: pathlib.Path) -> bool:
  if path.is_dir():
    return _holds_images(path)
  return path.suffix.lower() in sources.VIDEO_SUFFIXES


def _holds_images(folder: pathlib.Path) -> bool:
  return any(path.suffix.lower() in sources.IMAGE_SUFFIXES for path in folder.iterdir())
