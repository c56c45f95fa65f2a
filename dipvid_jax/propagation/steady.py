"""What no frame shows, filled once and carried from there, so that it does not flicker.

A logo that never moves over a camera that never moves hides the same points in every
frame. Each frame's own filling of them would differ from the next one's.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from dipvid_jax.media.placement import Box
from dipvid_jax.propagation.brightness import estimate_gain
from dipvid_jax.propagation.carrying import RING
from dipvid_jax.propagation.joining import level_correction
from dipvid_jax.propagation.regions import (
  CONTEXT,
  grow,
  in_frame,
  positions,
  sample,
)
from flow import PairFlow, find_scenes, offsets_to, scene_flow
from flow.per_frame import map_frames

_MOST_REFERENCES = 8  # of a scene; what none of them reaches keeps its own filling


def fill_steadily(
  filled: Float32[np.ndarray, "T H W 3"],
  alone: Bool[np.ndarray, "T H W"],
  hidden: Bool[np.ndarray, "T H W"],
  pairs: PairFlow,
) -> Float32[np.ndarray, "T H W 3"]:
  """Takes what no frame shows from one reference frame's filling of it.

  The reference of a scene is the frame that has most of it; what the flow leads
  outside of it gets another reference. What is carried gets the light of its new frame
  and is joined to what surrounds it there.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled.
    alone: `[T, H, W]` bool, hole pixels that nothing was carried to.
    hidden: `[T, H, W]` bool, all pixels that are not known.
    pairs: flow at stride 1, completed in the hole.

  Returns:
    `[T, H, W, 3]` float32, as `filled` where a pixel is not alone.
  """
  steady = filled.copy()
  for scene in find_scenes(pairs):
    left, flow = alone[scene].copy(), scene_flow(pairs, scene)
    for _ in range(_MOST_REFERENCES):
      if not left.any():
        break
      reference = _reference(left)
      offsets = offsets_to(flow, frame=reference)
      known = ~hidden[scene]
      parts = _carry_from(steady[scene], reference, left, known, offsets)
      for t, (part, reached) in enumerate(parts):
        steady[scene][t][reached] = part[reached]
        left[t] &= ~reached
  return steady


def _reference(left: np.ndarray) -> int:
  """The frame with most pixels; of equal ones that nearest to the middle."""
  counts = left.sum(axis=(1, 2))
  most = np.flatnonzero(counts == counts.max())
  return int(most[np.abs(most - len(left) // 2).argmin()])


def _carry_from(
  frames: np.ndarray,
  reference: int,
  left: np.ndarray,
  known: np.ndarray,
  offsets: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray]]:
  """Each frame with its pixels sampled from the reference, and which these are."""
  size = left.shape[1:]
  grid, source = positions(Box(0, 0, *size)), frames[reference].copy()
  known_there, sure = known[reference].astype(np.float32), np.ones(size, np.float32)

  def carry(t: int) -> tuple[np.ndarray, np.ndarray]:
    where = grid + offsets[t]
    inside = in_frame(where, size)
    reached = left[t] & inside
    if not reached.any():
      return frames[t], reached
    carried = sample(source, where, cv2.INTER_CUBIC)
    both = (
      grow(reached, CONTEXT) & known[t] & inside & (sample(known_there, where) == 1)
    )
    carried *= estimate_gain(frames[t][both], carried[both])
    arrived = grow(reached, RING) & inside
    correction = level_correction(frames[t], carried, reached, arrived, sure)
    return np.clip(carried + correction, 0, 1), reached

  return map_frames(carry, len(frames))
