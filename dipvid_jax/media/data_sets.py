"""Videos and their holes from data sets that TensorFlow Datasets wrote.

They are read by random access and without TensorFlow, so the set must be on disk as
ArrayRecord. Nothing is downloaded.
"""

import dataclasses
import functools
import importlib
import pathlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError

Features = Mapping[str, Any]  # of TensorFlow Datasets, by name

_IDS_SHOWN = 5
_DEEPEST = 3  # name, config and version lie between a data folder and its sets


@dataclasses.dataclass(frozen=True)
class _Layout:
  """Where one kind of set keeps its features.

  Attributes:
    frames: path of the frames.
    masks: path of the masks.
    video_id: path of the video's name.
    annotated: the masks hold object numbers, not 255 in the hole.
  """

  frames: tuple[str, ...]
  masks: tuple[str, ...]
  video_id: tuple[str, ...]
  annotated: bool


_LAYOUTS = (
  _Layout(("frames",), ("hole",), ("video_id",), annotated=False),
  _Layout(
    ("video", "frames"),
    ("video", "segmentations"),
    ("metadata", "video_name"),
    annotated=True,
  ),
)


def import_tfds() -> ModuleType:
  """Imports TensorFlow Datasets, which only the extra `data` installs.

  Returns:
    The module.

  Raises:
    InputError: it, or the package that replaces TensorFlow for it, is not installed.
  """
  try:
    importlib.import_module("array_record")
    return importlib.import_module("tensorflow_datasets")
  except ImportError as error:
    raise InputError(
      "data sets need TensorFlow Datasets: pip install 'dipvid_jax[data]'"
    ) from error


def find_sets(folder: pathlib.Path) -> list[pathlib.Path]:
  """Finds the data sets in a folder.

  Args:
    folder: the folder of one set's version, or one above it, up to a data folder of
      TensorFlow Datasets.

  Returns:
    The folders of the sets, sorted.
  """
  patterns = ["*/" * depth + "features.json" for depth in range(_DEEPEST + 1)]
  return sorted(file.parent for pattern in patterns for file in folder.glob(pattern))


class VideoSet:
  """A data set of videos, from `build_composed` or in the form of TFDS's DAVIS."""

  def __init__(self, name_or_folder: str | pathlib.Path):
    """Opens a set that is on disk.

    Args:
      name_or_folder: the set's folder or one above it; or its name, such as
        "davis/480p", in the data folder of TensorFlow Datasets ($TFDS_DATA_DIR, or
        ~/tensorflow_datasets).

    Raises:
      InputError: the extra `data` is not installed, there is no set or more than one,
        the set is in another format, or its features are of no known kind.
    """
    self._tfds: Any = import_tfds()
    self.name = str(name_or_folder)
    self._builder = self._open()
    held = self._builder.info.features
    layouts = [
      layout
      for layout in _LAYOUTS
      if all(map(functools.partial(_holds, held), (layout.frames, layout.masks)))
    ]
    if not layouts:
      raise InputError(
        f"{self.name}: holds {', '.join(held)}; a set of videos has frames and hole,"
        " or video/frames and video/segmentations like DAVIS"
      )
    self._layout = layouts[0]
    stored = self._builder.info.file_format
    if stored != self._tfds.core.FileFormat.ARRAY_RECORD:
      raise InputError(
        f"{self.name}: is stored as {stored.value if stored else 'no known format'};"
        ' prepare it with file_format="array_record", which needs no TensorFlow'
      )

  @functools.cached_property
  def places(self) -> dict[str, tuple[str, int]]:
    """Split and index of every video, by its id."""
    known = self._builder.info.metadata or {}
    if "video_ids" in known:
      (split,) = self._builder.info.splits
      return {name: (split, index) for index, name in enumerate(known["video_ids"])}
    return {
      self._read(split, index, self._layout.video_id).decode(): (split, index)
      for split in self._builder.info.splits
      for index in range(self._builder.info.splits[split].num_examples)
    }

  def check_id(self, video_id: str | None) -> None:
    """Checks that the set holds a video.

    Args:
      video_id: its id.

    Raises:
      InputError: it does not; the line lists some ids that it holds.
    """
    if video_id in self.places:
      return
    shown = ", ".join(list(self.places)[:_IDS_SHOWN])
    if len(self.places) > _IDS_SHOWN:
      shown += f", ... ({len(self.places)} in all)"
    wrong = f"has no video {video_id}" if video_id else "--video-id is missing"
    raise InputError(f"{self.name}: {wrong}; there are {shown}")

  def frames(self, video_id: str) -> np.ndarray:
    """Reads a video's frames, `[T, H, W, 3]` uint8 RGB."""
    return np.stack(self.read(video_id, *self._layout.frames))

  def masks(self, video_id: str, *, object_id: int | None = None) -> np.ndarray:
    """Reads the hole of every frame.

    Args:
      video_id: the video.
      object_id: the object that is hole, if the set holds objects; None: all of them.

    Returns:
      `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.

    Raises:
      InputError: the video does not hold `object_id`.
    """
    masks = np.stack(self.read(video_id, *self._layout.masks))
    if object_id is None:
      hole = masks > 0
    elif self._layout.annotated:
      hole = masks == object_id
    else:
      raise InputError(f"{self.name}: holds no object numbers; leave out --object")
    if object_id is not None and not hole.any():
      numbers = ", ".join(map(str, np.unique(masks[masks > 0])))
      raise InputError(
        f"{self.name}: {video_id} holds no object {object_id}; there are {numbers}"
      )
    return np.where(hole, np.uint8(255), np.uint8(0))

  def frame_rate(self, video_id: str) -> str | None:
    """Frames per second of a composed video; None if the set does not say."""
    if not _holds(self._builder.info.features, ("recipe", "frame_rate")):
      return None
    return self.read(video_id, "recipe", "frame_rate").decode()

  def read(self, video_id: str, *path: str) -> Any:
    """Reads one feature of a video and decodes no other.

    Args:
      video_id: the video.
      path: the names of the features that lead to it, the outermost first.

    Returns:
      The feature as TensorFlow Datasets decodes it.

    Raises:
      InputError: there is no such video or feature, or the file is damaged.
    """
    self.check_id(video_id)
    if not _holds(self._builder.info.features, path):
      raise InputError(f"{self.name}: holds no {'/'.join(path)}")
    split, index = self.places[video_id]
    return self._read(split, index, path)

  def _read(self, split: str, index: int, path: Sequence[str]) -> Any:
    features = self._tfds.features.FeaturesDict(
      self._part(self._builder.info.features, path)
    )
    try:
      value = features.deserialize_example_np(self._records[split][index])
    except Exception as error:  # C++ and protocol buffers raise many kinds
      raise InputError(
        f"{self.name}: video {index} of {split} cannot be read"
        f" ({str(error).splitlines()[0]})"
      ) from error
    return functools.reduce(lambda held, name: held[name], path, value)

  @functools.cached_property
  def _records(self) -> Mapping[str, Sequence[bytes]]:
    """The undecoded videos, by split and index."""
    raw = self._tfds.decode.DeserializeMethod.RAW_BYTES
    return self._builder.as_data_source(deserialize_method=raw)

  def _part(self, features: Features, path: Sequence[str]) -> dict[str, Any]:
    """The features without all but the one at `path`."""
    name, *rest = path
    if not rest:
      return {name: features[name]}
    part = self._part(features[name], rest)
    if isinstance(features[name], self._tfds.features.Sequence):
      part = self._tfds.features.Sequence(part)
    return {name: part}

  def _open(self) -> Any:
    folder = pathlib.Path(self.name)
    if not folder.is_dir():
      return self._open_by_name()
    sets = find_sets(folder)
    if len(sets) != 1:
      held = ", ".join(map(str, sets))
      raise InputError(
        f"{folder}: holds {'no data set' if not sets else f'{len(sets)} data sets'}"
        f" of TensorFlow Datasets{f'; name one: {held}' if held else ''}"
      )
    try:
      return self._tfds.builder_from_directory(sets[0])
    except Exception as error:  # a damaged file can cause any
      raise InputError(
        f"{sets[0]}: cannot be opened ({str(error).splitlines()[0]})"
      ) from error

  def _open_by_name(self) -> Any:
    # Not tfds.builder: it would run the code that generates a missing set.
    module = importlib.import_module("tensorflow_datasets.core.read_only_builder")
    try:
      return module.builder_from_files(self.name)
    except ValueError as error:  # no such set, or not a valid name
      raise InputError(
        f"{self.name}: no such folder, and no data set of that name in"
        " $TFDS_DATA_DIR or ~/tensorflow_datasets"
      ) from error


def _holds(features: Features, path: Sequence[str]) -> bool:
  name, *rest = path
  return name in features and (not rest or _holds(features[name], rest))
