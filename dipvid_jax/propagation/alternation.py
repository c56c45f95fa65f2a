"""Flow and fill in turn: each round searches the flow on what the last one carried."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from dipvid_jax.propagation.carrying import Carried, carry_known_pixels
from dipvid_jax.propagation.joining import level_correction
from dipvid_jax.propagation.regions import CONTEXT, blobs, box_around, grow
from flow import PairFlow, complete_video_flow
from flow.per_frame import map_frames
from flow.refinement import grey_levels, refine_flow

# Around the hole its content disturbs the flow: pixels, and as a share of the frame's
# shorter side.
_MARGIN, _MARGIN_SHARE = 4, 1 / 45
_ROUNDS = 2
STEPS = 2 + _ROUNDS
_STILL = 0.02  # pixels: a mean change of the flow that ends the rounds


class Propagated(NamedTuple):
  """The hole filled from the clip itself.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, carried
      pixels inside, the given filling where none arrived.
    arrived: `[T, H, W]` bool, the hole's pixels that were carried to.
    evidence: `[P, 7]` float32 for the pixels to fill in the order of `np.nonzero`: that
      of `Carried`, then logarithms of the first round's confidence and of the level
      correction.
    correction: `[T, H, W, 3]` float32, what joining added to the carried pixels.
    pairs: the flow, as the last round left it.
    looks: `[T, H, W]` uint8, the grey frames that the last search saw.
    hidden: `[T, H, W]` bool, the pixels that nothing was carried from.
  """

  frames: Float32[np.ndarray, "T H W 3"]
  arrived: Bool[np.ndarray, "T H W"]
  evidence: Float32[np.ndarray, "P F"]
  correction: Float32[np.ndarray, "T H W 3"]
  pairs: PairFlow
  looks: UInt8[np.ndarray, "T H W"]
  hidden: Bool[np.ndarray, "T H W"]


def propagate(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
  *,
  wanted: np.ndarray | None = None,
  on_progress: Callable[[int], None] = lambda _: None,
) -> Propagated:
  """Carries known pixels into the hole and searches the flow there again, in turn.

  The flow is replaced in the hole and close to it alone, the pixels are always carried
  from the input. Flow of later rounds agrees with itself even where it is wrong, so
  confidence is that of the first round.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow of `filled` at stride 1, as it was estimated.
    wanted: `[T, H, W]` bool, the hole's pixels to fill; None: all.
    on_progress: called with 1 after each of `STEPS` steps.

  Returns:
    The filled clip.

  Reference: Huang et al., Temporally Coherent Completion of Dynamic Video, 2016.
  """
  hidden = hole_masks[..., 0] > 0
  margin = max(_MARGIN, round(_MARGIN_SHARE * min(hidden.shape[1:])))
  goal = hidden if wanted is None else wanted
  inside = goal[..., None]
  carry = functools.partial(carry_known_pixels, filled, hole_masks, wanted=goal)
  (pairs,) = complete_video_flow((pairs,), hole_masks, margin=margin)
  first = carried = carry(pairs)
  on_progress(1)
  looks = grey_levels(np.where(inside, carried.frames, filled))
  still = False
  for _ in range(_ROUNDS):
    if not still:
      pairs, change = _search_again(looks, goal, pairs, margin)
      still = change < _STILL
      carried = carry(pairs)
      looks = grey_levels(np.where(inside, carried.frames, filled))
    on_progress(1)
  carried = carry(pairs, looks=looks)
  frames, correction = _join(filled, goal, carried, first.confidence)
  on_progress(1)
  own = np.stack(
    [
      np.log(1e-3 + first.confidence[goal]),
      np.log(0.01 + np.abs(correction[goal]).mean(axis=-1)),
    ],
    axis=-1,
  )
  evidence = np.concatenate([carried.evidence, own], axis=-1).astype(np.float32)
  arrived = carried.arrived & goal
  return Propagated(frames, arrived, evidence, correction, pairs, looks, hidden)


def _search_again(
  looks: np.ndarray, hole: np.ndarray, pairs: PairFlow, margin: int
) -> tuple[PairFlow, float]:
  """Flow searched on grey frames, near the hole; and its mean change in pixels."""
  unknown = np.stack([grow(mask, margin) for mask in hole])
  forward, backward = pairs.forward.copy(), pairs.backward.copy()

  def search(t: int) -> tuple[float, int]:
    changed, count = 0.0, 0
    for flow, first, second in ((forward, t, t + 1), (backward, t + 1, t)):
      for mask in blobs(unknown[first]):
        part = box_around(mask, CONTEXT).slices
        inside = mask[part]
        before = flow[t][part]
        found = refine_flow(looks[first], looks[second], before, part)
        changed += float(np.linalg.norm(found - before, axis=-1)[inside].sum())
        count += int(inside.sum())
        before[inside] = found[inside]
    return changed, count

  changes = map_frames(search, len(forward))
  total = sum(count for _, count in changes)
  change = sum(changed for changed, _ in changes) / max(1, total)
  return dataclasses.replace(pairs, forward=forward, backward=backward), change


def _join(
  filled: np.ndarray, hole: np.ndarray, carried: Carried, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  def correct(t: int) -> np.ndarray:
    return level_correction(
      filled[t], carried.frames[t], hole[t], carried.arrived[t], confidence[t]
    )

  correction = np.stack(map_frames(correct, len(filled)))
  inside = (carried.arrived & hole)[..., None]
  joined = np.clip(carried.frames + correction, 0, 1)
  return np.where(inside, joined, filled), correction
