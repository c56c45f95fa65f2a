"""The colour of each object number, in the PNGs of objects that are written."""

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image

from dipvid_jax.storage import atomic

_GOLDEN = 0.618034  # of the circle of hues: neighbours are far apart


def _colour(number: int) -> tuple[int, ...]:
  hue = (number - 1) * _GOLDEN % 1
  value = (1.0, 0.75, 0.5)[(number - 1) // 12 % 3]
  return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.85, value))


_WHITE, _GREY = (255, 255, 255), (128, 128, 128)
COLOURS = ((0, 0, 0), *(_colour(number) for number in range(1, 254)), _WHITE, _GREY)
"""RGB of each number; 0 is black, 255 stands for no object."""


def number_of_colour(colour: tuple[int, ...]) -> int:
  """Which object a colour is: the one whose own colour is nearest.

  So a colour is the same object in every file, and the colours of written objects are
  their own numbers.

  Args:
    colour: RGB.

  Returns:
    1 to 254; 0 for black.
  """
  distances = np.abs(np.array(COLOURS[:-1], int) - colour).sum(axis=1)
  return int(distances.argmin())


def write_objects(path: Path, labels: np.ndarray) -> None:
  """Writes object numbers as a PNG with a palette, which shows them in colours.

  Args:
    path: the file; it appears under its name only once it is complete.
    labels: `[H, W]` uint8.

  Raises:
    OSError: it cannot be written.
  """
  image = Image.fromarray(labels)
  image.putpalette([part for colour in COLOURS for part in colour])
  with atomic.replacing(path) as partial:
    image.save(partial, format="PNG")
