"""A long clip as windows that fade into each other."""

from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Window(NamedTuple):
  """Consecutive frames that are trained on as a clip of their own.

  Attributes:
    number: from 0.
    start, stop: its frames are start .. stop - 1.
    first: the earliest frame to whose result it adds.
    settled: the earliest frame to whose result the next window adds; `stop` in the
      last window.
  """

  number: int
  start: int
  stop: int
  first: int
  settled: int


def plan_windows(frame_count: int, *, length: int | None, overlap: int) -> list[Window]:
  """Divides a clip into windows of one length, which one compiled program serves.

  A window follows the one before by `length - overlap` frames; the last one ends with
  the clip and so may share more with the one before. The fade is over the last
  `overlap` frames of the earlier window, so no frame has more than two.

  Args:
    frame_count: T.
    length: frames of a window, K; None, or T and more: one window.
    overlap: frames of a fade, J, at most K / 2.

  Returns:
    The windows, in order.

  Raises:
    ValueError: a length below 1, or an overlap outside 0 to K / 2.
  """
  if length is None or length >= frame_count:
    return [Window(0, 0, frame_count, 0, frame_count)]
  if length < 1 or not 0 <= 2 * overlap <= length:
    raise ValueError(f"windows of {length} frames cannot overlap by {overlap}")
  step = length - overlap
  starts = [*range(0, frame_count - length, step), frame_count - length]
  windows: list[Window] = []
  for number, start in enumerate(starts):
    first = windows[-1].settled if windows else 0
    stop = start + length
    settled = stop if stop == frame_count else stop - overlap
    windows.append(Window(number, start, stop, first, settled))
  return windows


def fade_weights(window: Window, *, overlap: int) -> np.ndarray:
  """The share of each of a window's frames in the result.

  Args:
    window: from `plan_windows`.
    overlap: as `plan_windows` had it.

  Returns:
    `[K]` float32: rising in equal steps over the window's first `overlap` frames that
    count, 1 after, falling over its last `overlap`; 0 before. All windows together
    give each frame 1.
  """
  frames = np.arange(window.start, window.stop)
  rising = np.clip((frames - window.first + 1) / (overlap + 1), 0, 1)
  falling = 1 - np.clip((frames - window.settled + 1) / (overlap + 1), 0, 1)
  weights = np.where(window.number == 0, 1, rising) * falling
  return weights.astype(np.float32)


def join(
  window: Window, result: Arrays, tail: Arrays, *, overlap: int
) -> tuple[Arrays, Arrays]:
  """Adds a window to what the one before has left open.

  Args:
    window: from `plan_windows`.
    result: the window's arrays by name, `[K, ..]` float32 each.
    tail: from the window before; empty for the first one.
    overlap: as `plan_windows` had it.

  Returns:
    The arrays of the frames `first .. settled - 1`, which are done, and the tail for
    the next window.
  """
  weights = fade_weights(window, overlap=overlap)
  done, left = {}, {}
  for name, array in result.items():
    weighted = array * weights.reshape(-1, *[1] * (array.ndim - 1))
    weighted = weighted[window.first - window.start :]
    if name in tail:
      weighted[: len(tail[name])] += tail[name]
    settled = window.settled - window.first
    done[name] = weighted[:settled]
    left[name] = weighted[settled:].copy()  # a view keeps the whole window in memory
  return done, left
