"""Where the result, the truth and the mask of a clip lie, and what is in them."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size
from dipvid_jax.media.masks import HOLE_ABOVE, read_mask
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, os_reason
from dipvid_jax.media.video_reading import read_video

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class ClipFiles:
  """The files of one clip.

  Attributes:
    name: what its row is called.
    result: a run's output folder, or any system's stitched frames: a folder of
      images or a video.
    truth: the true frames, a folder of images or a video.
    masks: in any form of `read_mask`.
    full: full frames of the truth's size, a folder of images or a video; None takes
      those that a run's folder holds.
  """

  name: str
  result: Path
  truth: Path
  masks: Path
  full: Path | None = None


@dataclasses.dataclass(frozen=True)
class Arrays:
  """A result and what it is scored against.

  Attributes:
    result: `[T, H, W, 3]`, uint8 or float in [0, 1].
    truth: the same form.
    hole_masks: `[T, H, W, 1]` float, 1 in the hole.
  """

  result: np.ndarray
  truth: np.ndarray
  hole_masks: np.ndarray


def pair_clips(
  results: Path, truth: Path, masks: Path, *, full: Path | None = None
) -> list[ClipFiles]:
  """Pairs what lies under equal names in folders of several clips.

  A name is that of a folder, or of a file without its suffix.

  Args:
    results: a folder with a result for each clip.
    truth: a folder with at least these clips.
    masks: a folder with at least their masks.
    full: a folder with at least their full frames.

  Returns:
    The files of each result, by name.

  Raises:
    InputError: a folder cannot be read, is empty, holds a name twice, or lacks a name
      that `results` has.
  """
  named = {
    flag: _entries(flag, folder)
    for flag, folder in (
      ("result", results),
      ("truth", truth),
      ("masks", masks),
      ("full", full),
    )
    if folder is not None
  }
  for flag, entries in named.items():
    if missing := sorted(named["result"].keys() - entries):
      folder = {"truth": truth, "masks": masks, "full": full}[flag]
      raise InputError(
        f"{folder}: holds nothing of the name {', '.join(missing)}, which {results} has"
      )
  return [
    ClipFiles(name, **{flag: entries[name] for flag, entries in named.items()})
    for name in sorted(named["result"])
  ]


def _entries(flag, folder):
  suffixes = VIDEO_SUFFIXES | (IMAGE_SUFFIXES if flag == "masks" else frozenset())
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
    raise InputError(f"{folder}: holds no folder and no video; give a clip in each")
  return entries


def read_truth(files: ClipFiles) -> tuple[np.ndarray, np.ndarray]:
  """The true frames and the masks, `[T, H, W, 3]` and `[T, H, W, 1]` uint8.

  Raises:
    InputError: as `read_video` and `read_mask`.
  """
  truth = read_video(files.truth).frames
  masks = read_mask(files.masks, frame_count=len(truth), size=truth.shape[1:3])
  return truth, masks


def read_stitched(
  files: ClipFiles, truth: np.ndarray, masks: np.ndarray, *, size: Size | None
) -> Arrays:
  """The stitched frames of a result.

  Args:
    files: of the clip.
    truth: from `read_truth`.
    masks: from `read_truth`.
    size: (H, W) to resize everything to, by area; None takes it as it is.

  Returns:
    The frames beside the truth.

  Raises:
    InputError: as `read_video`, or another count or size than the truth's.
  """
  path = files.result / "frames" if is_run(files.result) else files.result
  result = read_video(path).frames
  _check_count(path, result, truth)
  return _match(path, result, truth, (masks > HOLE_ABOVE) * np.float32(1), size)


def read_full(
  files: ClipFiles, truth: np.ndarray, masks: np.ndarray, *, size: Size | None
) -> Arrays | None:
  """The full frames of a result, where there are some.

  Those of a run have its working size and its crop; the truth is brought there as the
  run's input was.

  Args:
    files: of the clip.
    truth: from `read_truth`.
    masks: from `read_truth`.
    size: (H, W) to resize everything to, by area; None takes it as it is.

  Returns:
    The frames beside the truth; None where there are none.

  Raises:
    InputError: as `read_video`, another count or size than the truth's, or a run's
      damaged config.
  """
  path = full_path(files)
  if path is None:
    return None
  full = read_video(path).frames
  _check_count(path, full, truth)
  holes = (masks > HOLE_ABOVE) * np.float32(1)
  config = files.result / "config.json"
  if files.full is None and config.exists():
    truth, holes = prepare(truth, masks, **_working_size(config))
  return _match(path, full, truth, holes, size)


def full_path(files: ClipFiles) -> Path | None:
  """Where a clip's full frames lie; the lossy video only where a run has no images."""
  if files.full or not is_run(files.result):
    return files.full
  kept = (files.result / name for name in ("full", "full.mp4"))
  return next((path for path in kept if path.exists()), None)


def is_run(path: Path) -> bool:
  """Whether a path is the output folder of a run of this program."""
  return (path / "frames").is_dir()


def _working_size(config):
  try:
    content = json.loads(config.read_text())
    height, width = content["size"]
    return {"size": (int(height), int(width)), "fit": str(content["fit"])}
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise InputError(
      f"{config}: does not say the run's size and fit; leave the measure paper out, or "
      f"give its full frames at the truth's size with --full"
    ) from error


def _check_count(path, result, truth):
  if len(result) != len(truth):
    raise InputError(
      f"{path}: {len(result)} frames, the truth has {len(truth)}; they must be the same"
    )


def _match(path, result, truth, holes, size):
  if size:
    result, truth, holes = (_resize(clip, size) for clip in (result, truth, holes))
    holes = (holes > 0.5) * np.float32(1)
    if not holes.any():
      raise InputError(f"--size {size[0]}x{size[1]}: no hole of {path} is left at it")
  elif result.shape != truth.shape:
    raise InputError(
      f"{path}: is {format_size(result.shape[1:])}, the truth is "
      f"{format_size(truth.shape[1:])} (height x width); --size HxW resizes both"
    )
  return Arrays(result, truth, holes)


def _resize(clip, size):
  frames = [cv2.resize(f, size[::-1], interpolation=cv2.INTER_AREA) for f in clip]
  return np.stack(frames).reshape(len(clip), *size, clip.shape[-1])
