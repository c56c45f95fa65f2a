"""Where the clip shows what a frame's hole hides: the flow followed through time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from dipvid_jax.media.placement import Box
from dipvid_jax.propagation.regions import in_frame, positions, sample
from flow import PairFlow

_KNOWN_BELOW = 1e-3  # share of the hole in a sampled pixel that still counts as known


class Source(NamedTuple):
  """A frame that shows part of another frame's hole.

  Attributes:
    frame: its number in the clip.
    steps: frames between the two, at least 1.
    flow: to that frame from every pixel of a box, pixels.
    shown: the box's pixels that this frame shows, and no frame in between.
    error: squared misses of the flow there and back, added up on the way, pixels^2.
  """

  frame: int
  steps: int
  flow: Float32[np.ndarray, "h w 2"]
  shown: Bool[np.ndarray, "h w"]
  error: Float32[np.ndarray, "h w"]


def find_sources(
  pairs: PairFlow,
  hole_masks: Float32[np.ndarray, "T H W"],
  t: int,
  *,
  wanted: Bool[np.ndarray, "h w"],
  box: Box,
  step: int,
) -> Iterator[Source]:
  """Follows the flow in one direction in time until frames show what is wanted.

  Args:
    pairs: flow at stride 1 between the frames of one scene, completed in the hole.
    hole_masks: `[T, H, W]` float32, 1 = hole.
    t: the frame to start from.
    wanted: `[h, w]` bool, the box's pixels to look for.
    box: part of the frame.
    step: 1 for later frames, -1 for earlier ones.

  Yields:
    The nearest source, the next, and so on, until all is found or the scene ends.
  """
  ways = (pairs.forward, pairs.backward)
  there, back = ways if step > 0 else ways[::-1]
  start = positions(box)
  at = start
  error = np.zeros(wanted.shape, np.float32)
  left = wanted.copy()
  s = t
  while left.any() and 0 <= s + step < len(hole_masks):
    pair = s if step > 0 else s - 1
    moved = sample(there[pair], at)
    at = at + moved
    missed = moved + sample(back[pair], at)
    error = error + (np.square(missed[..., 0]) + np.square(missed[..., 1]))
    s += step
    left &= in_frame(at, hole_masks.shape[1:])
    shown = left & is_known(hole_masks[s], at)
    if shown.any():
      yield Source(s, abs(s - t), at - start, shown, error)
      left &= ~shown


def is_known(
  hole_mask: Float32[np.ndarray, "H W"], where: Float32[np.ndarray, "h w 2"]
) -> Bool[np.ndarray, "h w"]:
  """Whether a frame is known at `[h, w, 2]` points (x, y)."""
  return sample(hole_mask, where) < _KNOWN_BELOW
