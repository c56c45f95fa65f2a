"""The folder in which a tracker is asked and answers, as docs/trackers.md states it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.painted import objects_of
from dipvid_jax.media.images import (
  format_size,
  frame_path,
  read_image,
  read_indexed_png,
  write_image,
  write_images,
)

VERSION = 1


def write_request(
  folder: Path,
  frames: np.ndarray,
  painted: Mapping[int, np.ndarray],
  *,
  weights: Path | None,
  config: str | None,
) -> None:
  """Writes what a tracker needs.

  Args:
    folder: an empty folder.
    frames: `[T, H, W, 3]` uint8 RGB.
    painted: by frame number, `[H, W]` uint8, 0 nothing, k = object k.
    weights: the tracker's weights.
    config: the name of its configuration.

  Raises:
    OSError: the disk is full.
  """
  count, height, width = frames.shape[:3]
  write_images(folder / "frames", frames)
  (folder / "painted").mkdir()
  for number, labels in sorted(painted.items()):
    write_image(frame_path(folder / "painted", number), labels)
  request = {
    "version": VERSION,
    "frames": count,
    "height": height,
    "width": width,
    "objects": objects_of(painted),
    "painted": sorted(painted),
    "weights": None if weights is None else str(weights.resolve()),
    "config": config,
  }
  (folder / "request.json").write_text(json.dumps(request, indent=2) + "\n")


def read_labels(
  name: str, folder: Path, painted: Mapping[int, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
  """Reads the labels that a tracker wrote.

  Args:
    name: of the tracker, for errors.
    folder: that it was called with.
    painted: as in `write_request`: these frames are kept as they were painted.
    shape: (T, H, W) of the clip.

  Returns:
    `[T, H, W]` uint8.

  Raises:
    InputError: a frame is missing, cannot be read, is of another size, or holds
      numbers that were not asked for.
  """
  labels = np.zeros(shape, np.uint8)
  known = [0, *objects_of(painted)]
  for number in range(shape[0]):
    if number in painted:
      labels[number] = painted[number]
      continue
    path = frame_path(folder / "labels", number)
    place = f"{name}: labels/{path.name}"
    if not path.is_file():
      raise InputError(f"{place} is missing; a tracker writes one for every frame")
    indexed = read_indexed_png(path)
    image = read_image(path) if indexed is None else indexed.indices
    if image.shape != shape[1:]:
      found = format_size(image.shape) + (" in colour" if image.ndim == 3 else "")
      raise InputError(
        f"{place} is {found}, the frames are {format_size(shape[1:])} (height x"
        " width); it must be a grey PNG of object numbers of their size"
      )
    if not np.isin(image, known).all():
      raise InputError(
        f"{place} holds the number {image[~np.isin(image, known)][0]}, which no"
        f" painted frame has; there are {', '.join(map(str, known))}"
      )
    labels[number] = image
  return labels


def read_confidence(
  name: str, folder: Path, painted: Mapping[int, np.ndarray], count: int
) -> np.ndarray | None:
  """Reads how sure the tracker is of each frame.

  Args:
    name: of the tracker, for errors.
    folder: that it was called with.
    painted: its frames get 1.
    count: frames of the clip, T.

  Returns:
    `[T]` float32 in [0, 1]; None if the tracker wrote none.

  Raises:
    InputError: the file holds something else.
  """
  path = folder / "confidence.json"
  if not path.is_file():
    return None
  try:
    values = np.array(json.loads(path.read_text()), np.float32)
  except (OSError, ValueError, TypeError):
    values = np.zeros(0, np.float32)
  if values.shape != (count,) or not ((values >= 0) & (values <= 1)).all():
    raise InputError(
      f"{name}: confidence.json must be a list of {count} numbers from 0 to 1"
    )
  values[sorted(painted)] = 1
  return values
