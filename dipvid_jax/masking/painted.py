"""Frames that a user painted: which object each pixel belongs to."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.object_colours import number_of_colour
from dipvid_jax.media import images
from dipvid_jax.media.mask_images import read_marks, read_numbers
from dipvid_jax.media.masks import HOLE_ABOVE

_MOST_OBJECTS = 254
_MOST_COLOURS = 20  # in all files; a brush with soft edges has more


def list_painted(folder: Path) -> dict[int, Path]:
  """The painted frames of a folder, by the numbers that name them.

  Args:
    folder: images such as 12.png and 00040.png.

  Raises:
    InputError: the folder cannot be read or is empty, a name is no number, or two
      files name one frame.
  """
  found: dict[int, Path] = {}
  for path in images.list_images(folder):
    if not re.fullmatch(r"\d{1,9}", path.stem, re.ASCII):
      raise InputError(
        f"{path}: its name is not the number of a frame, as 00012.png is; rename it,"
        " or give it as --paint FRAME=FILE"
      )
    twin = found.setdefault(int(path.stem), path)
    if twin is not path:
      raise InputError(f"{path}: names frame {int(path.stem)}, as {twin.name} does")
  return found


def read_painted(
  files: Mapping[int, Path], *, frame_count: int, size: tuple[int, int]
) -> dict[int, np.ndarray]:
  """Reads painted frames.

  A mask of black and white is object 1, as is whatever `read_marks` finds in grey,
  alpha channels or colours. Object numbers are read from a PNG with a palette, from a
  grey image of small values, and from flat colours on black, see `number_of_colour`.

  Args:
    files: by the number of their frame.
    frame_count: frames of the video.
    size: (H, W) of the video.

  Returns:
    By number, `[H, W]` uint8, 0 nothing, k = object k. A frame may be empty.

  Raises:
    InputError: one line that names the file: its frame is not in the video, it cannot
      be read, is of another size, only has faint values or holds a number above 254.
  """
  painted = {}
  for number, path in sorted(files.items()):
    if number >= frame_count:
      raise InputError(
        f"{path}: paints frame {number}, the video has frames 0 to {frame_count - 1}"
      )
    painted[number] = _read(path, size)
  return painted


def objects_of(painted: Mapping[int, np.ndarray]) -> list[int]:
  """The numbers of all painted objects, ascending."""
  numbers = {int(k) for labels in painted.values() for k in np.unique(labels)}
  return sorted(numbers - {0})


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
  """Object numbers, `[H, W]` uint8."""
  numbers = read_numbers(path)
  marked = read_marks(path) if numbers is None else numbers
  if marked.shape != size:
    raise InputError(
      f"{path}: the painted frame is {images.format_size(marked.shape)}, the video is"
      f" {images.format_size(size)} (height x width); make them the same size"
    )
  if numbers is not None:
    if numbers.max() > _MOST_OBJECTS:
      raise InputError(
        f"{path}: holds object {numbers.max()}; objects are 1 to {_MOST_OBJECTS}"
      )
    return numbers
  image = images.read_channels(path)
  if image.ndim == 3 and image.shape[2] == 3 and _is_flat(image):
    return _number_colours(image)
  if 0 < marked.max() <= HOLE_ABOVE:
    raise InputError(
      f"{path}: values only up to {marked.max()}; what is painted must be white (255)"
    )
  return (marked > HOLE_ABOVE).astype(np.uint8)


def _is_flat(image: np.ndarray) -> bool:
  """Whether an image shows objects in a few colours on black."""
  colours = _unique_colours(image)
  is_coloured = (colours.max(axis=1) > colours.min(axis=1)).any()
  return len(colours) <= _MOST_COLOURS and not colours[0].any() and bool(is_coloured)


def _unique_colours(image: np.ndarray) -> np.ndarray:
  """`[n, 3]`, the colours of an image."""
  packed = np.unique(_packed(image))
  return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)


def _packed(image: np.ndarray) -> np.ndarray:
  red, green, blue = (image[..., i].astype(np.int32) for i in range(3))
  return (red << 16) | (green << 8) | blue


def _number_colours(image: np.ndarray) -> np.ndarray:
  numbers = [number_of_colour(tuple(colour)) for colour in _unique_colours(image)]
  _, places = np.unique(_packed(image), return_inverse=True)
  return np.array(numbers, np.uint8)[places].reshape(image.shape[:2])
