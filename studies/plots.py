"""The studies' plots and stacked pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.storage.atomic import replacing

_LABEL_HEIGHT = 20


Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]
_COLUMNS = 2


def plot_curves(path: Path, curves: Curves, *, x: str, y: str) -> None:
  """Plots curves to a PNG file.

  Args:
    path: the file.
    curves: x and y values by name.
    x, y: the axes' labels.

  Raises:
    InputError: matplotlib is not installed.
  """
  plot_panels(path, {y: curves}, x=x)


def plot_panels(path: Path, panels: Mapping[str, Curves], *, x: str) -> None:
  """Plots panels of curves, two beside each other, to a PNG file.

  Args:
    path: the file.
    panels: curves by the label of their y axis.
    x: the label of all x axes.

  Raises:
    InputError: matplotlib is not installed.
  """
  try:
    from matplotlib.figure import Figure
  except ImportError as error:
    raise InputError(
      "the studies' plots need matplotlib: pip install 'dipvid_jax[studies]'"
    ) from error
  columns = min(_COLUMNS, len(panels))
  rows = -(-len(panels) // columns)
  figure = Figure(figsize=(5 * columns, 3.2 * rows), dpi=110, layout="constrained")
  for number, (y, curves) in enumerate(panels.items(), 1):
    axes = figure.add_subplot(rows, columns, number, xlabel=x, ylabel=y)
    for name, (xs, ys) in curves.items():
      axes.plot(xs, ys, marker="o", markersize=4, label=name)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
  with replacing(path) as partial:
    figure.savefig(partial, format="png")


def stack_labelled(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
  """Stacks pictures vertically, each below its name.

  Args:
    pictures: `[H, W, 3]` uint8 RGB by name; narrower ones are padded with white.

  Returns:
    `[H', W', 3]` uint8 RGB.
  """
  width = max(picture.shape[1] for picture in pictures.values())
  rows = []
  for name, picture in pictures.items():
    band = np.full((_LABEL_HEIGHT, width, 3), 255, np.uint8)
    font, black = cv2.FONT_HERSHEY_SIMPLEX, (0, 0, 0)
    rows.append(cv2.putText(band, name, (4, 14), font, 0.42, black, 1, cv2.LINE_AA))
    side = [(0, 0), (0, width - picture.shape[1]), (0, 0)]
    rows.append(np.pad(picture, side, constant_values=255))
  return np.concatenate(rows)
