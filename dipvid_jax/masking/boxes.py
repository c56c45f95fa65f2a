"""Masks from boxes: still ones, and ones that move between key frames."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import FrameRange, Rectangle
from dipvid_jax.media.stacking import stack
from dipvid_jax.storage.csv_lines import read_csv_lines

_NUMBERS = ("frame", "x", "y", "width", "height")
_COLUMNS = (*_NUMBERS, "name")
_MOST = 1e9  # pixels or frames


class KeyFrame(NamedTuple):
  """Where a box is in one frame."""

  frame: int
  rectangle: Rectangle


@dataclasses.dataclass(frozen=True)
class BoxTrack:
  """A box over time: linear between its key frames, nowhere before or after them.

  Attributes:
    name: for messages.
    keys: at least one, by rising frame.
  """

  name: str
  keys: tuple[KeyFrame, ...]

  def at(self, frame: int) -> Rectangle | None:
    """Where the box is in a frame; None: nowhere."""
    if not self.keys[0].frame <= frame <= self.keys[-1].frame:
      return None
    times = [key.frame for key in self.keys]
    sides = zip(*(key.rectangle for key in self.keys), strict=True)
    return Rectangle(*(float(np.interp(frame, times, side)) for side in sides))


def still_box(
  name: str,
  rectangle: Rectangle,
  frames: FrameRange | None,
  *,
  frame_count: int,
  size: tuple[int, int],
) -> BoxTrack:
  """A box that stays where it is.

  Args:
    name: what names it, for errors.
    rectangle: in pixels.
    frames: in which it is; None: in all.
    frame_count: of the video, T.
    size: the video's (H, W).

  Returns:
    The track.

  Raises:
    InputError: it has no area or reaches beyond the picture, or the video lacks such
      frames.
  """
  rectangle.check_inside(name, size)
  frames = frames or FrameRange(0, frame_count - 1)
  frames.check(name, frame_count)
  ends = sorted({frames.first, frames.last})
  return BoxTrack(name, tuple(KeyFrame(frame, rectangle) for frame in ends))


def read_boxes(
  path: Path, *, frame_count: int, size: tuple[int, int]
) -> list[BoxTrack]:
  """Reads boxes from a CSV file whose rows are key frames.

  The first line names the columns: frame, x, y, width, height and, if there is more
  than one box, name. Rows of one name are one box, in any order. A box may reach
  beyond the picture, as a thing does that leaves it.

  Args:
    path: the file, in UTF-8.
    frame_count: of the video, T.
    size: the video's (H, W).

  Returns:
    The boxes, in the order of their first rows.

  Raises:
    InputError: one line that names the file and its line.
  """
  lines = read_csv_lines(path)
  number, header = next(lines, (1, []))
  columns = _columns(f"{path}, line {number}", header)
  tracks: dict[str, dict[int, KeyFrame]] = {}
  for number, cells in lines:
    place = f"{path}, line {number}"
    if len(cells) != len(columns):
      raise InputError(
        f"{place}: has {len(cells)} cells, the first line has {len(columns)}"
      )
    row = dict(zip(columns, cells, strict=True))
    key, name = _key_frame(place, row, frame_count), row.get("name", "")
    keys = tracks.setdefault(name, {})
    if key.frame in keys:
      whose = f"of {name!r}" if name else "without a name"
      raise InputError(
        f"{place}: a second row {whose} for frame {key.frame}; give boxes that are"
        " there at the same time different names (column name)"
      )
    keys[key.frame] = key
  if not tracks:
    raise InputError(
      f"{path}, line {number}: no boxes follow; add one row per key frame"
    )
  found = [
    BoxTrack(name, tuple(keys[frame] for frame in sorted(keys)))
    for name, keys in tracks.items()
  ]
  for track in found:
    _check_seen(path, track, size)
  return found


def draw_boxes(
  tracks: Sequence[BoxTrack], *, frame_count: int, size: tuple[int, int]
) -> np.ndarray:
  """Draws boxes as masks: every pixel that a box touches.

  Args:
    tracks: the boxes.
    frame_count: T.
    size: (H, W).

  Returns:
    `[T, H, W]` bool, True in a box.
  """
  return stack(_draw(tracks, frame, size) for frame in range(frame_count))


def _draw(tracks: Sequence[BoxTrack], frame: int, size: tuple[int, int]) -> np.ndarray:
  mask = np.zeros(size, bool)
  for track in tracks:
    if rectangle := track.at(frame):
      mask[rectangle.slices(size)] = True
  return mask


def _columns(place: str, header: list[str]) -> list[str]:
  names = [name.lower() for name in header]
  known = ", ".join(_COLUMNS)
  for name, written in zip(names, header, strict=True):
    if name not in _COLUMNS:
      raise InputError(
        f"{place}: unknown column {written!r}; the first line names the columns:"
        f" {known}"
      )
    if names.count(name) > 1:
      raise InputError(f"{place}: column {written!r} appears twice")
  if missing := [name for name in _NUMBERS if name not in names]:
    raise InputError(
      f"{place}: has no column {missing[0]}; the first line names the columns: {known}"
    )
  return names


def _key_frame(place: str, row: Mapping[str, str], frame_count: int) -> KeyFrame:
  numbers = [_number(place, name, row[name]) for name in _NUMBERS]
  frame = numbers[0]
  if frame != int(frame):
    raise InputError(f"{place}: frame {row['frame']} is not a whole number")
  if not 0 <= frame < frame_count:
    raise InputError(
      f"{place}: frame {int(frame)} of a video of {frame_count} frames; they are"
      " counted from 0"
    )
  rectangle = Rectangle(*numbers[1:])
  rectangle.check_sides(place)
  return KeyFrame(int(frame), rectangle)


def _number(place: str, column: str, cell: str) -> float:
  try:
    number = float(cell)
  except ValueError:
    number = math.nan
  if not abs(number) < _MOST:
    raise InputError(f"{place}: {column} is {cell!r}, not a number")
  return number


def _check_seen(path: Path, track: BoxTrack, size: tuple[int, int]) -> None:
  """Refuses a box that is never within the picture: its numbers are of another one."""
  frames = itertools.chain.from_iterable(
    range(first.frame, second.frame + 1)
    for first, second in itertools.pairwise((track.keys[0], *track.keys))
  )
  for frame in frames:
    rectangle = track.at(frame)
    if rectangle and all(s.stop > s.start for s in rectangle.slices(size)):
      return
  named = f"box {track.name!r}" if track.name else "the box"
  raise InputError(
    f"{path}: {named} is never within the picture of width {size[1]} and height"
    f" {size[0]}"
  )
