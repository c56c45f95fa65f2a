"""Carried pixels at the input's own size: the detail that the working size has not.

The flow that was found at the working size leads each hole pixel of the input to its
source, whose pixel is sampled once from the input itself.
"""

import functools

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.placement import Placement
from dipvid_jax.propagation.alternation import Propagated
from dipvid_jax.propagation.carrying import RING, Scene, Shown, shown_by
from dipvid_jax.propagation.regions import (
  CONTEXT,
  blobs,
  box_around,
  grow,
  in_frame,
  sample_points,
)
from flow import find_scenes, scene_flow
from flow.per_frame import map_frames

_REACH = 2  # pixels of the input that sampling reaches beyond a point


def carried_detail(
  carried: Propagated,
  share: Float32[np.ndarray, "T h w 1"],
  *,
  frames: UInt8[np.ndarray, "T H W 3"],
  masks: UInt8[np.ndarray, "T H W 1"],
  placement: Placement,
  length: int | None = None,
) -> Float32[np.ndarray, "T P 3"]:
  """What to add to a result that is enlarged from the working size.

  Args:
    carried: the propagation at the working size.
    share: `[T, h, w, 1]` float32 in [0, 1], the carried pixels' share of the result.
    frames: `[T, H, W, 3]` uint8 RGB, the input.
    masks: `[T, H, W, 1]` uint8, above 127 = hole.
    placement: of the input in the working frames.
    length: P, at least `most_hole_pixels` of these masks; None: as many.

  Returns:
    `[T, P, 3]` float32, levels of 256, for the hole's pixels inside `placement.source`
    in the order of `np.nonzero`; 0 after them and where nothing was carried.
  """
  if length is None:
    length = most_hole_pixels(masks, placement)
  detail = np.zeros((len(frames), length, 3), np.float32)
  near_hole = np.stack([_near_hole(mask[..., 0] > HOLE_ABOVE) for mask in masks])
  for scene in find_scenes(carried.pairs):
    render = functools.partial(
      _detail_of_frame,
      _part(carried, scene),
      share[scene],
      frames=frames[scene],
      masks=masks[scene],
      near_hole=near_hole[scene],
      placement=placement,
    )
    for t, rows in enumerate(map_frames(render, scene.stop - scene.start)):
      detail[scene.start + t, : len(rows)] = rows
  return detail


def most_hole_pixels(masks: UInt8[np.ndarray, "T H W 1"], placement: Placement) -> int:
  """How many pixels the hole of a frame has at most inside the placement's source."""
  part = placement.source.slices
  return max(int((mask[..., 0][part] > HOLE_ABOVE).sum()) for mask in masks)


def _part(carried: Propagated, scene: slice) -> Propagated:
  """The fields that are read here, of one scene."""
  return carried._replace(
    frames=carried.frames[scene],
    correction=carried.correction[scene],
    pairs=scene_flow(carried.pairs, scene),
    looks=carried.looks[scene],
    hidden=carried.hidden[scene],
  )


def _detail_of_frame(
  carried: Propagated,
  share: np.ndarray,
  t: int,
  *,
  frames: np.ndarray,
  masks: np.ndarray,
  near_hole: np.ndarray,
  placement: Placement,
) -> np.ndarray:
  """`[P, 3]` levels, for the hole's pixels of one frame."""
  source, holes = placement.source, carried.hidden.astype(np.float32)
  scene = Scene(carried.frames, holes, carried.pairs, carried.looks)
  rows, columns = np.nonzero(masks[t, ..., 0][source.slices] > HOLE_ABOVE)
  points = np.stack([columns + source.left, rows + source.top], axis=-1)
  points = points.astype(np.float32)
  at = _to_working(points, placement)
  pixels = np.rint(at).astype(int).clip(0, np.array(holes.shape[:0:-1]) - 1)
  nearest = pixels[:, 1], pixels[:, 0]
  total, colours = np.zeros(len(points)), np.zeros((len(points), 3))
  for part in blobs(grow(holes[t] > 0, RING)):
    box = box_around(part, CONTEXT)
    wanted = part[box.slices]
    corner = np.array([box.left, box.top], np.float32)
    local = tuple((pixels - [box.left, box.top]).T[::-1])
    mine = np.flatnonzero(part[nearest])
    for step in (1, -1):
      for one in shown_by(scene, t, wanted=wanted, box=box, step=step):
        s = one.source.frame
        chosen = mine[one.source.shown[local[0][mine], local[1][mine]]]
        found, known = _pull(
          one, points[chosen], at[chosen] - corner, frames[s], near_hole[s], placement
        )
        weight = known / one.source.steps
        colours[chosen] += weight[:, None] * found
        total[chosen] += weight
  found = total > 0
  colours[found] /= total[found, None]
  corrected = colours + 255 * sample_points(carried.correction[t], at)
  smooth = 255 * sample_points(carried.frames[t], at, cv2.INTER_CUBIC)
  weight = sample_points(share[t, ..., 0], at).clip(0, 1)
  detail = weight[:, None] * (corrected.clip(0, 255) - smooth.clip(0, 255))
  return np.where(found[:, None], detail, 0)


def _pull(
  shown: Shown,
  points: Float[np.ndarray, "P 2"],
  at: Float[np.ndarray, "P 2"],
  frame: np.ndarray,
  near_hole: np.ndarray,
  placement: Placement,
) -> tuple[np.ndarray, np.ndarray]:
  """Samples the input's pixels of a source, and tells which of them are known."""
  where = points + placement.scale * sample_points(shown.flow, at)
  limits = np.array(near_hole.shape[::-1]) - 1
  x, y = np.rint(where.clip(0, limits)).astype(int).T
  known = in_frame(where, near_hole.shape) & ~near_hole[y, x]
  return sample_points(frame, where, cv2.INTER_CUBIC) * shown.gain, known


def _near_hole(hole: np.ndarray) -> np.ndarray:
  """`[H, W]` bool: where sampling would reach into the hole."""
  side = 2 * _REACH + 1
  return cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _to_working(points: np.ndarray, placement: Placement) -> np.ndarray:
  """`[P, 2]` points (x, y) of the input in the working frame; pixels have centres."""
  source, target = placement.source, placement.target
  corner = np.array([source.left, source.top], np.float32)
  shown = np.array([target.left, target.top], np.float32)
  return (points - corner + 0.5) / placement.scale - 0.5 + shown
