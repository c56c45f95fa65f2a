"""The frames and masks of a clip's files, brought to one size for scoring."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.clip_files import ClipFiles, full_path, is_run
from dipvid_jax.media.images import format_size
from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.placement import Placement, place
from dipvid_jax.media.preparation import prepare_frames, prepare_holes
from dipvid_jax.media.video_reading import read_video

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class TrueClip:
  """A clip's true frames and masks, as they were read.

  Attributes:
    files: of the clip.
    frames: `[T, H, W, 3]` uint8.
    masks: `[T, H, W, 1]` uint8, above 127 in the hole.
  """

  files: ClipFiles
  frames: np.ndarray
  masks: np.ndarray


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


def read_true_clip(files: ClipFiles) -> TrueClip:
  """Reads the true frames and the masks.

  Raises:
    InputError: as `Truth.read`.
  """
  return TrueClip(files, *files.truth.read())


def read_stitched(clip: TrueClip, *, size: Size | None) -> Arrays:
  """Reads the stitched frames of a result.

  Args:
    clip: from `read_true_clip`.
    size: (H, W) to resize everything to, by area; None keeps the sizes.

  Returns:
    The frames beside the truth.

  Raises:
    InputError: as `read_video`, or the count or size is not the truth's.
  """
  result = clip.files.result
  path = result / "frames" if is_run(result) else result
  frames = _read_counted(path, len(clip.frames))
  return _match(path, frames, clip.frames, _holes(clip.masks), size)


def read_full(clip: TrueClip, *, size: Size | None) -> Arrays | None:
  """Reads the full frames of a result, if it has any.

  A run's full frames have its working size and its crop, without the padding; the
  truth is brought to the same form.

  Args:
    clip, size: see `read_stitched`.

  Returns:
    The frames beside the truth, or None.

  Raises:
    InputError: as `read_stitched`, or the run's config is damaged.
  """
  path = full_path(clip.files)
  if path is None:
    return None
  frames = _read_counted(path, len(clip.frames))
  truth, holes = clip.frames, _holes(clip.masks)
  config = clip.files.result / "config.json"
  if clip.files.full is None and config.exists():
    placement = _read_placement(config, clip.frames.shape[1:3])
    shown = (slice(None), *placement.target.slices)
    truth = prepare_frames(clip.frames, placement)[shown]
    holes = prepare_holes(clip.masks, placement)[shown].astype(np.float32)
    frames = _without_even_edge(frames, *truth.shape[1:3])
  return _match(path, frames, truth, holes, size)


def _without_even_edge(frames: np.ndarray, height: int, width: int) -> np.ndarray:
  """Cuts off the row or column that a run's video repeats to make its sides even."""
  even = (height + height % 2, width + width % 2)
  return frames[:, :height, :width] if frames.shape[1:3] == even else frames


def _read_placement(config: Path, input_size: Size) -> Placement:
  """Where the input lies in a run's frames, by its config."""
  try:
    content = json.loads(config.read_text())
    height, width = map(int, content["size"])
    size, fit = ((height, width) if height or width else None), content["fit"]
    # Runs of versions before `carry_side` carried at the working size.
    carried_at = content.get("carry_side") if content.get("carry") else None
    side = None if carried_at is None else int(carried_at)
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise InputError(
      f"{config}: does not give the run's size and fit; leave out the measure paper,"
      " or give its full frames at the truth's size with --full"
    ) from error
  return place(input_size, size=size, fit=fit, side=side)


def _read_counted(path: Path, count: int) -> np.ndarray:
  frames = read_video(path).frames
  if len(frames) != count:
    raise InputError(
      f"{path}: {len(frames)} frames, the truth has {count}; give the same frames of"
      " both"
    )
  return frames


def _holes(masks: np.ndarray) -> np.ndarray:
  return (masks > HOLE_ABOVE) * np.float32(1)


def _match(
  path: Path,
  result: np.ndarray,
  truth: np.ndarray,
  holes: np.ndarray,
  size: Size | None,
) -> Arrays:
  """Resizes all arrays to `size`, or checks that they agree without one."""
  if size:
    result, truth, holes = (_resize(clip, size) for clip in (result, truth, holes))
    holes = (holes > 0.5) * np.float32(1)
    if not holes.any():
      raise InputError(
        f"--size {format_size(size)} (height x width): no hole of {path} is left at"
        " this size; use a larger one"
      )
  elif result.shape != truth.shape:
    raise InputError(
      f"{path}: is {format_size(result.shape[1:])}, the truth is "
      f"{format_size(truth.shape[1:])} (height x width); --size HxW resizes both"
    )
  return Arrays(result, truth, holes)


def _resize(clip: np.ndarray, size: Size) -> np.ndarray:
  frames = [cv2.resize(f, size[::-1], interpolation=cv2.INTER_AREA) for f in clip]
  return np.stack(frames).reshape(len(clip), *size, clip.shape[-1])
