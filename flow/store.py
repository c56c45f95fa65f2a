"""A clip's flow as arrays on disk, reused while its inputs are the same."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flow.estimators import Estimator
from flow.video_flow import PairFlow, VideoFlow, estimate_video_flow

_FORMAT = 2
_CHECKSUMS = "checksums.json"
_MADE_FROM = "made_from.json"
_ARRAYS = ("forward", "backward", "forward_visible", "backward_visible")
_ARRAY_NAME = re.compile(rf"stride_\d+_(?:{'|'.join(_ARRAYS)})\.npy")


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
  flow and visibility arrays for each stride and direction, and `checksums.json`
  (SHA-256 of each array). If the clip, size or estimator differs, or a file is
  damaged, the flow is estimated again and replaces the old one. Other files in the
  folder stay. An interruption leaves a whole flow or none.

  Args:
    folder: of the arrays; it is created if missing.
    frames: `[T, H, W, 3]` float, RGB in [0, 1].
    strides: as in `estimate_video_flow`.
    estimator: from `make_estimator`.
    on_progress: called with the number of flows just loaded or computed.

  Returns:
    A `PairFlow` for each stride.
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


def stored_files(folder: str | Path, strides: Sequence[int]) -> list[Path]:
  """The files that `stored_video_flow` writes.

  Args:
    folder: of the arrays.
    strides: as there.

  Returns:
    Their paths; `made_from.json`, without which the others do not count, is the last.
  """
  folder = Path(folder)
  arrays = [_path(folder, stride, name) for stride in strides for name in _ARRAYS]
  return [*arrays, folder / _CHECKSUMS, folder / _MADE_FROM]


def move_stored_flow(
  source: str | Path, folder: str | Path, *, strides: Sequence[int]
) -> None:
  """Moves a whole stored flow to another folder, where it replaces an older one.

  An interrupted move is completed by another one.

  Args:
    source: of `stored_video_flow`; without a whole flow nothing is moved.
    folder: created if it is missing.
    strides: of the stored flow.
  """
  if (Path(source) / _MADE_FROM).exists():
    Path(folder).parent.mkdir(parents=True, exist_ok=True)
    _move(Path(source), Path(folder), strides=strides)


def _describe(
  frames: np.ndarray, strides: Sequence[int], estimator: Estimator
) -> dict[str, Any]:
  frames = np.asarray(frames, np.float32)
  return {
    "format": _FORMAT,
    "estimator": estimator.identity,
    "frames": list(frames.shape),
    "frames_sha256": _sha256(frames),
    "strides": list(strides),
  }


def _path(folder: Path, stride: int, name: str) -> Path:
  return folder / f"stride_{stride}_{name}.npy"


def _read(path: Path, checksums: dict[str, str]) -> np.ndarray:
  with path.open("rb") as file:
    array = np.lib.format.read_array(file, allow_pickle=False)
  if checksums[path.name] != _sha256(array):
    raise ValueError(f"{path} is damaged")
  return array


def _sha256(array: np.ndarray) -> str:
  return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _load(folder: Path, made_from: dict[str, Any]) -> VideoFlow | None:
  """The stored flow; None if it is missing, damaged or of other inputs."""
  count, height, width = made_from["frames"][:3]
  try:
    if json.loads((folder / _MADE_FROM).read_text()) != made_from:
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
  except Exception:  # a damaged file can fail in any way
    return None
  return tuple(video_flow)


def _save(folder: Path, made_from: dict[str, Any], video_flow: VideoFlow) -> None:
  folder.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".flow-") as scratch:
    complete = Path(scratch) / "flow"
    complete.mkdir()
    checksums = {}
    for pairs in video_flow:
      for name in _ARRAYS:
        path, array = _path(complete, pairs.stride, name), getattr(pairs, name)
        _write(path, array)
        checksums[path.name] = _sha256(array)
    (complete / _CHECKSUMS).write_text(json.dumps(checksums, indent=2) + "\n")
    (complete / _MADE_FROM).write_text(json.dumps(made_from, indent=2) + "\n")
    _move(complete, folder, strides=[pairs.stride for pairs in video_flow])


def _move(complete: Path, folder: Path, *, strides: Sequence[int]) -> None:
  """Moves stored flow to where an older one may be, of which nothing stays."""
  folder.mkdir(exist_ok=True)
  newer = stored_files(complete, strides)
  older = [name for name in _read_checksums(folder) if _ARRAY_NAME.fullmatch(name)]
  (folder / _MADE_FROM).unlink(missing_ok=True)
  for name in {*older} - {path.name for path in newer}:
    (folder / name).unlink(missing_ok=True)
  for path in newer:
    if path.exists():  # unless an interrupted move took it
      shutil.move(path, folder / path.name)


def _read_checksums(folder: Path) -> dict[str, str]:
  """The checksums of a folder; empty if there are none that can be read."""
  try:
    checksums = json.loads((folder / _CHECKSUMS).read_text())
  except (OSError, ValueError):
    return {}
  return checksums if isinstance(checksums, dict) else {}


def _write(path: Path, array: np.ndarray) -> None:
  """Writes as `np.save`, which does not tell why the disk takes no more."""
  array = np.ascontiguousarray(array)
  header = np.lib.format.header_data_from_array_1_0(array)
  with path.open("wb") as file:
    np.lib.format.write_array_header_1_0(file, header)
    file.write(array.data)
