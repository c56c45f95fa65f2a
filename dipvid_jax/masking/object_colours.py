"""The colour of each object number, in the PNGs of objects that are written."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dipvid_jax.storage import atomic

_GOLDEN = 0.618034  # of the circle of hues: neighbours are far apart


def _colour(number: int) -> tuple[int, ...]:
  hue = (number - 1) * _GOLDEN % 1
  value = (1.0, 0.75, 0.5)[(number - 1) // 12 % 3]
  return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.85, value))


COLOURS = ((0, 0, 0), *(_colour(number) for number in range(1, 255)), (255, 255, 255))
"""RGB of each number; 0 is black, 255 stands for no object."""


def numbers_of_colours(
  colours: Sequence[tuple[int, ...]],
) -> dict[tuple[int, ...], int]:
  """Which object each colour is.

  Args:
    colours: RGB, none of them black, in the order in which they came.

  Returns:
    The numbers in `COLOURS` if all are there, else 1, 2, ... in their order.
  """
  known = {colour: number for number, colour in enumerate(COLOURS[:-1])}
  if all(colour in known for colour in colours):
    return {colour: known[colour] for colour in colours}
  return {colour: number for number, colour in enumerate(colours, 1)}


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
