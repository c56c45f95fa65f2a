"""The four methods on the videos of a composed set, one folder per run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.composed import read_composed
from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.config import Config
from dipvid_jax.method.keys import Value
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run import run

METHODS = {
  "dip": "DIP",
  "vid": "DIP-Vid",
  "vid3d": "DIP-Vid-3DCN",
  "flow": "DIP-Vid-Flow",
}
_TITLES = METHODS | {"fast": "fast.py", "telea": "Telea, each frame alone"}
RUNNABLE = (*METHODS, "fast")


def method_title(method: str) -> str:
  """How a method is called in tables and figures."""
  return _TITLES.get(method, method)


class MethodRun(NamedTuple):
  """A finished run on a composed video; `[T, H, W, .]` uint8 at the set's size.

  Attributes:
    video_id: the video's id in the set.
    method: the config's name.
    full: the network's frames.
    stitched: the truth outside the hole, the network inside.
    truth: the frames without a hole.
    hole: `[T, H, W, 1]`, 255 in the hole.
  """

  video_id: str
  method: str
  full: np.ndarray
  stitched: np.ndarray
  truth: np.ndarray
  hole: np.ndarray


def run_method(
  set_folder: str,
  video_id: str,
  method: str,
  *,
  output: Path,
  settings: Mapping[str, Value],
) -> MethodRun:
  """Runs a method on a video, unless it is done, and reads its results.

  No method sees what the hole hides. The known flow of DIP-Vid-Flow is estimated with
  the hole filled from its border (`hide_hole`).

  Args:
    set_folder: a composed set.
    video_id: one of its videos.
    method: a config's name.
    output: the study's folder; the run is in its `runs/VIDEO/METHOD`. An interrupted
      run continues.
    settings: values of config keys to change, the same for all methods.

  Returns:
    The run.

  Raises:
    InputError: as `run`, or the folder holds a run with other settings.
  """
  composed = read_composed(set_folder, video_id)
  config = method_config(method, size=composed.truth.shape[1:3], settings=settings)
  folder = RunFolder(output / "runs" / video_id / method)
  config = config.replace(tfds=set_folder, video_id=video_id, output=str(folder.path))
  if not folder.is_finished(config.to_dict()):
    run(config, resume=folder.holds_run())
  return MethodRun(
    video_id,
    method,
    full=_full_frames(folder, composed.truth.shape),
    stitched=read_video(folder.frames).frames,
    truth=composed.truth,
    hole=composed.hole,
  )


def method_settings(
  method: str, settings: Mapping[str, Value], updates: Mapping[str, int]
) -> Mapping[str, Value]:
  """The settings of one method, which may have a number of updates of its own."""
  if method not in updates:
    return settings
  return {**settings, "max_updates": updates[method]}


def method_config(
  method: str, *, size: tuple[int, int], settings: Mapping[str, Value]
) -> Config:
  """A config at the set's own size, with the hole hidden.

  Args:
    method: the config's name.
    size: (H, W) of the set's frames.
    settings: values of config keys to change.

  Returns:
    The config.
  """
  changes = {"size": size, "hide_hole": True, **settings}
  return load_config(method, **changes)


def _full_frames(folder: RunFolder, shape: tuple[int, ...]) -> np.ndarray:
  """The network's frames, which must have the set's size."""
  full = read_video(folder.full).frames
  if full.shape != shape:
    raise ValueError(f"{folder.full}: frames are {full.shape}, the set's are {shape}")
  return full


def as_unit(frames: np.ndarray) -> np.ndarray:
  """8-bit levels to float32 in [0, 1]."""
  return frames / np.float32(255)


def hole_mask(hole: np.ndarray) -> np.ndarray:
  """A set's hole, 255 inside, as a float32 mask of 0 and 1."""
  return (hole > HOLE_ABOVE).astype(np.float32)
