"""Known pixels carried into the hole along the flow, from both sides in time."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from dipvid_jax.media.placement import Box
from dipvid_jax.propagation.brightness import estimate_gain
from dipvid_jax.propagation.regions import (
  CONTEXT,
  blobs,
  box_around,
  grow,
  in_frame,
  positions,
  sample_points,
)
from dipvid_jax.propagation.sources import Source, find_sources, is_known
from flow import PairFlow, find_scenes, scene_flow
from flow.per_frame import map_frames
from flow.refinement import refine_flow

RING = 2  # pixels outside the hole that are carried too, to join the hole to them
_AGEING = 0.05  # confidence lost with every further frame
_SMALLEST_SHARE = 0.02  # of the hole: smaller sources keep the flow that led to them
_FEATURES = 5


class Carried(NamedTuple):
  """What the clip itself shows of its hole.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]: carried pixels in the hole and on a
      ring around it, the given frames elsewhere and where none arrived.
    arrived: `[T, H, W]` bool, where pixels were carried to.
    confidence: `[T, H, W]` float32 in [0, 1]: of carried pixels by the flow's errors
      on the way; 0 elsewhere.
    evidence: `[P, 5]` float32 for the hole's pixels in the order of `np.nonzero`: what
      tells a good pixel from a bad one. Logarithms of the flow's error, of the frames
      on the way, of the two sides' difference and of the refinement's; and whether only
      one side arrived.
  """

  frames: Float32[np.ndarray, "T H W 3"]
  arrived: Bool[np.ndarray, "T H W"]
  confidence: Float32[np.ndarray, "T H W"]
  evidence: Float32[np.ndarray, "P F"]


@dataclasses.dataclass
class _Side:
  """What one direction in time brings to the pixels of a box.

  Attributes:
    colours: `[h, w, 3]`.
    steps: `[h, w]`, frames on the way; 0 where nothing arrived.
    error: `[h, w]`, of the flow on the way.
    shift: `[h, w]` pixels by which the search moved the source.
  """

  colours: np.ndarray
  steps: np.ndarray
  error: np.ndarray
  shift: np.ndarray


class Scene(NamedTuple):
  """A scene, as sources are looked for in it; see `carry_known_pixels`.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1], known outside the hole.
    holes: `[T, H, W]` float32, 1 = hole.
    pairs: flow at stride 1, completed in the hole.
    looks: `[T, H, W]` uint8; None: the flow is followed alone.
  """

  frames: np.ndarray
  holes: np.ndarray
  pairs: PairFlow
  looks: np.ndarray | None


def carry_known_pixels(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
  *,
  wanted: Bool[np.ndarray, "T H W"] | None = None,
  looks: UInt8[np.ndarray, "T H W"] | None = None,
) -> Carried:
  """Follows the flow from each hole pixel to the first frame that shows it.

  The flow is followed from frame to frame, in both directions in time, and the pixel
  found is sampled once from `filled`, so long ways do not blur. The two sides are mixed
  by their distance in time. Nothing is carried across a cut (`flow.find_scenes`).

  Errors add up on a long way. With `looks`, the flow from a frame to each of its
  sources is searched once more directly, which starts from the flow followed.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1]; what is in the hole is kept where
      nothing arrives and is carried nowhere.
    hole_masks: `[T, H, W, 1]` float32, above 0 = hole.
    pairs: flow at stride 1, completed in the hole; `flow.complete_video_flow`.
    wanted: `[T, H, W]` bool, the hole's pixels to fill; None: all.
    looks: `[T, H, W]` uint8, `flow.refinement.grey_levels` of the clip with a good
      guess in the hole; None: the flow is followed alone.

  Returns:
    The carried clip.

  Raises:
    ValueError: the flow is not of stride 1.
  """
  if pairs.stride != 1:
    raise ValueError(f"carrying needs flow at stride 1, got stride {pairs.stride}")
  hole = hole_masks[..., 0] > 0
  holes = hole.astype(np.float32)
  wanted = hole if wanted is None else wanted
  parts = []
  for scene in find_scenes(pairs):
    seen = None if looks is None else looks[scene]
    shown = Scene(filled[scene], holes[scene], scene_flow(pairs, scene), seen)
    carry = functools.partial(_carry_to_frame, shown, wanted[scene])
    parts.extend(map_frames(carry, scene.stop - scene.start))
  frames, arrived, confidence, evidence = zip(*parts, strict=True)
  return Carried(
    np.stack(frames), np.stack(arrived), np.stack(confidence), np.concatenate(evidence)
  )


def _carry_to_frame(
  scene: Scene,
  goals: np.ndarray,
  t: int,
) -> tuple[np.ndarray, ...]:
  goal = goals[t]
  frame, arrived = scene.frames[t].copy(), np.zeros(goal.shape, bool)
  confidence = np.zeros(goal.shape, np.float32)
  evidence = np.zeros((*goal.shape, _FEATURES), np.float32)
  for part in blobs(grow(goal, RING)):
    box = box_around(part, 0 if scene.looks is None else CONTEXT)
    inside = box.slices
    wanted = part[inside]
    sides = [_gather(scene, t, wanted=wanted, box=box, step=s) for s in (1, -1)]
    weights = [np.where(s.steps > 0, 1 / np.maximum(s.steps, 1), 0) for s in sides]
    total = weights[0] + weights[1]
    found = total > 0
    colours = sum(w[..., None] * s.colours for w, s in zip(weights, sides, strict=True))
    frame[inside][found] = np.clip(colours[found] / total[found, None], 0, 1)
    arrived[inside] |= found
    trust = np.max([_confidence(side) for side in sides], axis=0)
    confidence[inside][found] = trust[found]
    evidence[inside][wanted] = _evidence(sides)[wanted]
  return frame, arrived, confidence, evidence[goal]


class Shown(NamedTuple):
  """A source of a frame's pixels, ready to be sampled.

  Attributes:
    source: as it was found.
    flow: `[h, w, 2]` to it from every pixel of the box, pixels; searched or followed.
    gain: `[3]`, what its colours are multiplied by.
  """

  source: Source
  flow: np.ndarray
  gain: np.ndarray


def shown_by(
  scene: Scene,
  t: int,
  *,
  wanted: np.ndarray,
  box: Box,
  step: int,
) -> Iterator[Shown]:
  """Finds and refines all sources of a frame in one direction in time.

  Args:
    scene: the frame's.
    t, wanted, box, step: see `find_sources`.

  Yields:
    The sources, the nearest first.
  """
  filled, holes, pairs, looks = scene
  enough = _SMALLEST_SHARE * wanted.sum()
  start, here = positions(box), filled[t][box.slices]
  outside = holes[t][box.slices] == 0
  for source in find_sources(pairs, holes, t, wanted=wanted, box=box, step=step):
    flow, gain = source.flow, np.ones(3, np.float32)
    if looks is not None and source.steps > 1 and source.shown.sum() >= enough:
      flow = _refine(source, looks, holes, t, box)
    if looks is not None:
      where = start + flow
      known = outside & (source.error < 1) & is_known(holes[source.frame], where)
      there = sample_points(filled[source.frame], where[known])
      gain = estimate_gain(here[known], there)
    yield Shown(source, flow, gain)


def _gather(
  scene: Scene,
  t: int,
  *,
  wanted: np.ndarray,
  box: Box,
  step: int,
) -> _Side:
  """Samples all sources of a frame in one direction in time."""
  shape = wanted.shape
  side = _Side(
    np.zeros((*shape, 3), np.float32),
    np.zeros(shape, np.int32),
    np.zeros(shape, np.float32),
    np.zeros(shape, np.float32),
  )
  start = positions(box)
  for source, flow, gain in shown_by(scene, t, wanted=wanted, box=box, step=step):
    shown = source.shown
    moved = flow[shown]
    where = start[shown] + moved
    colours = sample_points(scene.frames[source.frame], where, cv2.INTER_CUBIC)
    side.colours[shown] = colours * gain
    side.steps[shown] = source.steps
    side.error[shown] = source.error[shown]
    side.shift[shown] = np.linalg.norm(moved - source.flow[shown], axis=-1)
  return side


def _refine(
  source: Source, looks: np.ndarray, holes: np.ndarray, t: int, box: Box
) -> np.ndarray:
  """The flow to a source, searched directly; as it was where that leads to a hole."""
  flow = refine_flow(looks[t], looks[source.frame], source.flow, box.slices)
  where = positions(box) + flow
  good = in_frame(where, looks.shape[1:]) & is_known(holes[source.frame], where)
  return np.where(good[..., None], flow, source.flow)


def _confidence(side: _Side) -> np.ndarray:
  """A way there and back that misses by more than about a pixel counts little."""
  trust = np.exp(-side.error / 2) / (1 + _AGEING * np.maximum(side.steps - 1, 0))
  return np.where(side.steps > 0, trust, 0)


def _evidence(sides: list[_Side]) -> np.ndarray:
  """`[h, w, 5]` float32; see `Carried.evidence`."""
  first, second = sides
  both = (first.steps > 0) & (second.steps > 0)
  error = np.min([np.where(s.steps > 0, s.error, np.inf) for s in sides], axis=0)
  steps = np.min([np.where(s.steps > 0, s.steps, np.inf) for s in sides], axis=0)
  none = ~np.isfinite(steps)
  error, steps = np.where(none, 1e3, error), np.where(none, 1e3, steps)
  difference = np.abs(first.colours - second.colours).mean(axis=-1)
  shift = np.maximum(first.shift, second.shift)
  return np.stack(
    [
      np.log(error + 0.01),
      np.log(steps),
      np.log(np.where(both, difference, 0) + 0.01),
      np.log(shift + 0.1),
      ~both,
    ],
    axis=-1,
  ).astype(np.float32)
