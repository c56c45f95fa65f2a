"""A clip's flow as arrays on disk, reused while what it was made from is the same."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from flow.estimators import Estimator
from flow.video_flow import PairFlow, VideoFlow, estimate_video_flow

_FORMAT = 2
_CHECKSUMS = "checksums.json"
_ARRAYS = ("forward", "backward", "forward_visible", "backward_visible")


def stored_video_flow(
  folder: str | Path,
  frames: np.ndarray,
  *,
  strides: Sequence[int],
  estimator: Estimator,
  on_progress: Callable[[int], None] | None = None,
) -> VideoFlow:
  """Loads a clip's flow from a folder, or estimates and stores it there.

  The folder holds `made_from.json` (estimator, size, strides, SHA-256 of the frames),
  an array for each stride and direction, and `checksums.json` (SHA-256 of each array).
  A flow of another clip, size or estimator, or a damaged one, is estimated anew and
  replaced in one rename.

  Args:
    folder: where the arrays are, or will be.
    frames: `[T, H, W, 3]` float, RGB in [0, 1].
    strides: as in `estimate_video_flow`.
    estimator: from `make_estimator`.
    on_progress: called with the number of flows just loaded or computed.

  Returns:
    As `estimate_video_flow`.
  """
  folder = Path(folder)
  made_from = _describe(frames, strides, estimator)
  video_flow = _load(folder, made_from)
  if video_flow is not None:
    if on_progress:
      on_progress(sum(2 * len(pairs.forward) for pairs in video_flow))
    return video_flow
  video_flow = estimate_video_flow(
    frames, strides=strides, estimator=estimator, on_progress=on_progress
  )
  _save(folder, made_from, video_flow)
  return video_flow


def _describe(frames, strides, estimator):
  frames = np.asarray(frames, np.float32)
  return {
    "format": _FORMAT,
    "estimator": estimator.identity,
    "frames": list(frames.shape),
    "frames_sha256": _sha256(frames),
    "strides": list(strides),
  }


def _path(folder, stride, name):
  return folder / f"stride_{stride}_{name}.npy"


def _read(path, checksums):
  with path.open("rb") as file:
    array = np.lib.format.read_array(file, allow_pickle=False)
  if checksums[path.name] != _sha256(array):
    raise ValueError(f"{path} is damaged")
  return array


def _sha256(array):
  return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _load(folder, made_from):
  """The stored flow, or None where it is missing, damaged or made from other input."""
  count, height, width = made_from["frames"][:3]
  try:
    if json.loads((folder / "made_from.json").read_text()) != made_from:
      return None
    checksums = json.loads((folder / _CHECKSUMS).read_text())
    video_flow = []
    for stride in made_from["strides"]:
      arrays = [_read(_path(folder, stride, name), checksums) for name in _ARRAYS]
      area = (count - stride, height, width)
      expected = [((*area, 2), np.float32)] * 2 + [((*area, 1), np.bool_)] * 2
      if [(array.shape, array.dtype) for array in arrays] != expected:
        return None
      video_flow.append(PairFlow(stride, *arrays))
  except Exception:  # a damaged array can fail in any way; it is estimated anew
    return None
  return tuple(video_flow)


def _save(folder, made_from, video_flow):
  folder.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".flow-") as scratch:
    complete = Path(scratch) / "flow"
    complete.mkdir()
    checksums = {}
    for pairs in video_flow:
      for name in _ARRAYS:
        path, array = _path(complete, pairs.stride, name), getattr(pairs, name)
        np.save(path, array)
        checksums[path.name] = _sha256(array)
    (complete / _CHECKSUMS).write_text(json.dumps(checksums, indent=2) + "\n")
    (complete / "made_from.json").write_text(json.dumps(made_from, indent=2) + "\n")
    if folder.exists():
      shutil.rmtree(folder)
    complete.rename(folder)
