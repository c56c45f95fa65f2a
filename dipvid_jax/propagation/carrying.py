"""Known pixels carried into the hole along the flow, from both sides in time."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32

from flow import PairFlow, find_scenes, scene_flow

_KNOWN_BELOW = 1e-3  # share of the hole in a sampled pixel that still counts as known
# The mean difference of the two sides' colours that leaves 1/e of the trust.
_AGREEMENT_SCALE = 0.15
_AGEING = 0.05  # trust lost with every further frame


class Carried(NamedTuple):
  """What the clip itself shows of the hole's content.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, carried
      pixels inside, the given filling where none arrived.
    confidence: `[T, H, W, 1]` float32 in [0, 1]: 1 outside the hole, 0 where nothing
      arrived, in between for carried pixels.
  """

  frames: Float32[np.ndarray, "T H W 3"]
  confidence: Float32[np.ndarray, "T H W 1"]


class _Arrivals(NamedTuple):
  """Pixels carried into one frame's hole from one side in time.

  Attributes:
    colours: `[P, 3]`.
    weights: `[P]`, 0 where none arrived, falling with the distance in frames and
      the forward-backward error of the flow.
  """

  colours: Float32[np.ndarray, "P 3"]
  weights: Float32[np.ndarray, " P"]


def carry_known_pixels(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
) -> Carried:
  """Follows the flow from each hole pixel to the first frame that shows it.

  The flow is followed from frame to frame, in both directions in time, and the pixel
  found is sampled once, so long chains do not blur. Nothing is carried across a cut
  (`flow.find_scenes`).

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], with any filling in the hole,
      kept only where nothing arrives.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow at stride 1, completed in the hole; `flow.complete_video_flow`.

  Returns:
    The carried clip.

  Raises:
    ValueError: the flow is not of stride 1.
  """
  if pairs.stride != 1:
    raise ValueError(f"carrying needs flow at stride 1, got stride {pairs.stride}")
  parts = [
    _carry_in_scene(filled[scene], hole_masks[scene], scene_flow(pairs, scene))
    for scene in find_scenes(pairs)
  ]
  return Carried(*map(np.concatenate, zip(*parts, strict=True)))


def _carry_in_scene(
  filled: np.ndarray, hole_masks: np.ndarray, pairs: PairFlow
) -> Carried:
  frames = filled.copy()
  confidence = 1 - (hole_masks > 0).astype(np.float32)
  for t in range(len(filled)):
    rows, columns = np.nonzero(hole_masks[t, ..., 0] > 0)
    start = np.stack([columns, rows], axis=-1).astype(np.float32)
    sides = [_follow(filled, hole_masks, pairs, t, start, step) for step in (1, -1)]
    weights = np.stack([side.weights for side in sides])
    total = weights.sum(axis=0)
    colours = sum(side.weights[:, None] * side.colours for side in sides)
    arrived = total > 0
    mean = colours[arrived] / total[arrived, None]
    frames[t, rows[arrived], columns[arrived]] = np.clip(mean, 0, 1)
    confidence[t, rows, columns, 0] = _confidence(sides, total)
  return Carried(frames, confidence)


def _confidence(sides: list[_Arrivals], total: np.ndarray) -> np.ndarray:
  """The better side's weight, lowered where both arrive and disagree."""
  best = np.maximum(*(side.weights for side in sides))
  both = np.minimum(*(side.weights for side in sides)) > 0
  difference = np.abs(sides[0].colours - sides[1].colours).mean(axis=-1)
  agreement = np.where(both, np.exp(-((difference / _AGREEMENT_SCALE) ** 2)), 1)
  return np.where(total > 0, best * agreement, 0)


def _follow(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  pairs: PairFlow,
  t: int,
  start: np.ndarray,
  step: int,
) -> _Arrivals:
  """Follows points of frame t in one direction in time until a frame shows them."""
  ways = (pairs.forward, pairs.backward)
  count, height, width = frames.shape[:3]
  points = start.copy()
  colours = np.zeros((len(points), 3), np.float32)
  weights = np.zeros(len(points), np.float32)
  error = np.zeros(len(points), np.float32)
  active = np.arange(len(points))
  steps, s = 0, t
  while len(active) and 0 <= s + step < count:
    there, back = ways if step > 0 else ways[::-1]
    pair = s if step > 0 else s - 1
    moved = _sample(there[pair], points[active])
    points[active] += moved
    returned = _sample(back[pair], points[active])
    error[active] += np.sum((moved + returned) ** 2, axis=-1)
    s, steps = s + step, steps + 1
    x, y = points[active].T
    active = active[(x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)]
    if not len(active):
      break
    shown = _sample(hole_masks[s], points[active])[:, 0] < _KNOWN_BELOW
    arrived, active = active[shown], active[~shown]
    if len(arrived):
      colours[arrived] = _sample(frames[s], points[arrived], cv2.INTER_CUBIC)
      # A round trip that misses by more than about a pixel is not trusted.
      weights[arrived] = np.exp(-error[arrived] / 2) / (1 + _AGEING * (steps - 1))
  return _Arrivals(colours, weights)


def _sample(
  image: np.ndarray, points: np.ndarray, interpolation: int = cv2.INTER_LINEAR
) -> np.ndarray:
  """`[H, W, C]` sampled at `[P, 2]` points (x, y): `[P, C]`; the border repeats."""
  x, y = (np.ascontiguousarray(points[:, axis, None]) for axis in (0, 1))
  sampled = cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)
  return sampled.reshape(len(points), -1)
