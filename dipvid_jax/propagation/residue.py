"""What of the removed thing remains beside its mask: an edge, a shadow.

Other frames show the background of the ring around a hole. Where the frames before and
after agree on it and the input differs, from the hole's border on, something is left.
"""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from dipvid_jax.propagation.carrying import Carried, carry_known_pixels
from dipvid_jax.propagation.regions import grow
from flow import PairFlow, complete_video_flow, scene_flow
from flow.per_frame import map_frames

RING = 12
"""Pixels around the hole that are looked at; a residue is at most this wide."""

_LOOKED_AT = 8  # frames, spread over those that have a hole
_REACH = 24  # frames before and after that may show the background
_MARGIN = 4  # pixels around the ring whose flow may be the thing's
_SURE = 0.3  # least confidence of what is carried
_AGREED = 0.04, 0.35  # most difference of the two sides: levels, and of the difference
_TOLERANCE = 0.05  # of intensity; what one pixel's shift may change is added
_USUAL = 0.25  # of the first band, in half of the frames: less is no residue
_SHARE = 0.1  # of a band: the residue reaches as far as it covers more
LEAST_FRAMES = 2
"""Whose ring must be seen; of fewer nothing is said."""

_LEAST_SEEN = 20  # pixels of the first band that say something of a frame


class Residue(NamedTuple):
  """What remains beside the mask.

  Attributes:
    frames: those looked at in which it does, the worst first.
    looked_at: how many frames say something of it.
    width: how far it reaches, pixels.
  """

  frames: tuple[int, ...]
  looked_at: int
  width: int


def find_residue(
  frames: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
) -> Residue | None:
  """Compares the ring around the hole with what other frames show of it.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1], the input.
    hole_masks: `[T, H, W, 1]` float32, above 0 = hole.
    pairs: flow at stride 1 with the hole hidden.

  Returns:
    What remains; None if it is nothing, or if too little of the ring is seen in other
    frames to tell.
  """
  return judge(look_around(frames, hole_masks, pairs))


def look_around(
  frames: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
) -> dict[int, Float[np.ndarray, " RING"]]:
  """Looks at the ring of some frames; see `find_residue`.

  Returns:
    By frame, the share of residue in each band of a pixel's width around the hole; of
    frames whose ring is seen in others.
  """
  hole = hole_masks[..., 0] > 0
  marked = np.flatnonzero(hole.any(axis=(1, 2)))
  if not len(marked) or len(frames) == 1:
    return {}
  middle = (np.arange(_LOOKED_AT) + 0.5) * len(marked) / _LOOKED_AT
  chosen = np.unique(marked[middle.astype(int)])
  around = np.stack([grow(mask, RING) for mask in hole])
  (pairs,) = complete_video_flow((pairs,), around[..., None], margin=_MARGIN)

  def look(i: int) -> np.ndarray | None:
    return _profile(frames, hole, around, pairs, int(chosen[i]))

  looks = zip(chosen.tolist(), map_frames(look, len(chosen)), strict=True)
  return {t: profile for t, profile in looks if profile is not None}


def judge(profiles: Mapping[int, Float[np.ndarray, " RING"]]) -> Residue | None:
  """What the profiles of some frames mean together; see `find_residue`."""
  if len(profiles) < LEAST_FRAMES:
    return None
  usual = np.median(list(profiles.values()), axis=0)
  if usual[0] < _USUAL:
    return None
  width = int(np.argmax(usual < _SHARE)) if (usual < _SHARE).any() else RING
  worst = sorted(profiles, key=lambda t: -float(profiles[t].sum()))
  shown = tuple(t for t in worst if profiles[t][0] >= _SHARE)
  return Residue(shown, len(profiles), width)


def _profile(
  frames: np.ndarray, hole: np.ndarray, around: np.ndarray, pairs: PairFlow, t: int
) -> np.ndarray | None:
  """`[RING]`: the share of residue in each band of a pixel's width around the hole.

  None where hardly any pixel beside the hole is known from both sides in time.
  """
  first, end = max(0, t - _REACH), min(len(frames), t + _REACH + 1)
  wanted = np.zeros(around[first:end].shape, bool)
  ring = wanted[t - first] = around[t] & ~hole[t]
  carried = carry_known_pixels(
    frames[first:end],
    around[first:end, ..., None].astype(np.float32),
    scene_flow(pairs, slice(first, end)),
    wanted=wanted,
  )
  background = carried.frames[t - first]
  difference = np.abs(frames[t] - background).max(axis=-1)
  seen = _seen(carried, t - first, ring, difference)
  differs = seen & (difference > _TOLERANCE + _contrast(background))
  left = _touching(differs, hole[t])
  outside = (~hole[t]).astype(np.uint8)
  band = np.ceil(cv2.distanceTransform(outside, cv2.DIST_L2, 5)).astype(int)
  of_seen, of_left = (
    np.bincount(band[pixels], minlength=RING + 1)[1 : RING + 1]
    for pixels in (seen, left)
  )
  if of_seen[0] < _LEAST_SEEN:
    return None
  return of_left / np.maximum(of_seen, 1)


def _seen(
  carried: Carried, t: int, ring: np.ndarray, difference: np.ndarray
) -> Bool[np.ndarray, "H W"]:
  """Where both sides in time show the background and agree on it."""
  sides, alone = np.full(ring.shape, np.inf), np.ones(ring.shape, bool)
  sides[ring] = np.exp(carried.evidence[:, 2]) - 0.01
  alone[ring] = carried.evidence[:, 4] > 0
  least, part = _AGREED
  agreed = sides < np.maximum(least, part * difference)
  return ring & carried.arrived[t] & ~alone & agreed & (carried.confidence[t] > _SURE)


def _contrast(image: np.ndarray) -> np.ndarray:
  """How much a pixel's colour may change if it is found a pixel beside."""
  side = np.ones((3, 3), np.uint8)
  above, below = cv2.dilate(image, side) - image, image - cv2.erode(image, side)
  return np.maximum(above, below).max(axis=-1)


def _touching(pixels: np.ndarray, hole: np.ndarray) -> Bool[np.ndarray, "H W"]:
  """The pixels that are connected with the hole."""
  _, labels = cv2.connectedComponents((pixels | hole).astype(np.uint8), connectivity=8)
  return pixels & np.isin(labels, np.unique(labels[hole]))
