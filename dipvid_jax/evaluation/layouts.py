"""Where video inpainting systems and data sets keep the frames of a clip.

Facts of their published programs: STTN writes `NAME_result.mp4`, E2FGVI
`NAME_results.mp4` or folders of images, ProPainter a folder `NAME` with
`inpaint_out.mp4` and, on request, `frames`. DAVIS keeps frames in
`JPEGImages/RESOLUTION/NAME` and masks in `Annotations/RESOLUTION/NAME`.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from dipvid_jax.errors import InputError
from dipvid_jax.media.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, os_reason

_RESULT_ENDINGS = ("_results", "_result")
_PROPAINTER_VIDEO = "inpaint_out.mp4"
_DAVIS = {"frames": "JPEGImages", "masks": "Annotations"}
Kind = Literal["frames", "masks"]


def find_clips(folder: Path, *, kind: Kind) -> dict[str, Path]:
  """Finds the frames or masks of several clips.

  Args:
    folder: with a folder or video for each clip, and for masks also single images; or
      a data set as DAVIS lays it out.
    kind: what is looked for.

  Returns:
    The paths, by the name of the clip: a folder's name, or a file's without its suffix.

  Raises:
    InputError: the folder cannot be read, is empty, holds a name twice, or has several
      resolutions.
  """
  inside = folder / _DAVIS[kind]
  if inside.is_dir():
    folder = _only_resolution(inside)
  return _entries(folder, images=kind == "masks")


def find_results(folder: Path, *, names: Collection[str] = ()) -> dict[str, Path]:
  """Finds a system's results.

  Args:
    folder: with a folder or video for each clip, as any of the systems writes them.
    names: of the clips, from which an ending such as `_results` is told apart.

  Returns:
    The frames of each clip, a folder or a video, by the clip's name.

  Raises:
    InputError: as `find_clips`.
  """
  found: dict[str, Path] = {}
  for entry, path in _entries(folder, images=False).items():
    name = _clip_name(entry, names)
    if name in found:
      raise InputError(f"{folder}: holds {found[name].name} and {path.name}; keep one")
    found[name] = _frames_of(path)
  return found


def _clip_name(entry: str, names: Collection[str]) -> str:
  """The clip that an entry shows, whose name it has, perhaps with an ending."""
  for ending in _RESULT_ENDINGS:
    if entry not in names and entry.removesuffix(ending) in names:
      return entry.removesuffix(ending)
  return entry


def _frames_of(path: Path) -> Path:
  """The frames in a system's folder of a clip; a path with frames is its own."""
  video = path / _PROPAINTER_VIDEO
  return video if video.is_file() and not (path / "frames").is_dir() else path


def _only_resolution(folder: Path) -> Path:
  """The folder of the clips below `JPEGImages` or `Annotations`."""
  held = sorted(path for path in folder.iterdir() if path.is_dir())
  if not held or not all(any(p.is_dir() for p in path.iterdir()) for path in held):
    return folder  # the clips lie here
  if len(held) > 1:
    raise InputError(
      f"{folder}: holds {', '.join(path.name for path in held)}; name one of them"
    )
  return held[0]


def _entries(folder: Path, *, images: bool) -> dict[str, Path]:
  """The folders and videos in a folder, and its images on request, by name."""
  suffixes = VIDEO_SUFFIXES | (IMAGE_SUFFIXES if images else frozenset())
  entries: dict[str, Path] = {}
  try:
    paths = sorted(folder.iterdir())
  except OSError as error:
    raise InputError(f"{folder}: {os_reason(error)}") from error
  for path in paths:
    if path.name.startswith(".") or not (
      path.is_dir() or path.suffix.lower() in suffixes
    ):
      continue
    name = path.name if path.is_dir() else path.stem
    if name in entries:
      raise InputError(
        f"{folder}: holds {entries[name].name} and {path.name}; keep one"
      )
    entries[name] = path
  if not entries:
    raise InputError(f"{folder}: holds no folder and no video; give one of each clip")
  return entries
