"""Where a clip is cut into scenes, found on small frames."""

from collections.abc import Callable

import cv2
import numpy as np

from flow import estimate_video_flow, find_scenes

_SIDE = 160  # the shorter side of the small frames
_PAIRS = 32  # whose flow is in memory at a time


def find_cuts(
  frames: np.ndarray, *, on_progress: Callable[[int], None] | None = None
) -> tuple[slice, ...]:
  """Splits a clip at its cuts.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    on_progress: called with the number of flows just computed, of 2 (T - 1).

  Returns:
    The frames of each scene, in order; together they cover the clip.
  """
  starts = [0]
  for first in range(0, len(frames) - 1, _PAIRS):
    part = np.stack([_small(frame) for frame in frames[first : first + _PAIRS + 1]])
    (pairs,) = estimate_video_flow(part, strides=(1,), on_progress=on_progress)
    starts += [first + scene.start for scene in find_scenes(pairs)[1:]]
  ends = [*starts[1:], len(frames)]
  return tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))


def name_frames(scene: slice) -> str:
  """A scene in words: "frame 7", or "frames 7 to 40"."""
  if scene.stop - scene.start == 1:
    return f"frame {scene.start}"
  return f"frames {scene.start} to {scene.stop - 1}"


def _small(frame: np.ndarray) -> np.ndarray:
  """`[h, w, 3]` float32 RGB in [0, 1]."""
  height, width = frame.shape[:2]
  scale = min(1.0, _SIDE / min(height, width))
  sides = (max(round(width * scale), 1), max(round(height * scale), 1))
  small = cv2.resize(frame, sides, interpolation=cv2.INTER_AREA)
  return small.astype(np.float32) / 255
