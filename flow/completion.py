"""Completes the flow inside a hole smoothly from its surroundings."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from flow.per_frame import map_frames
from flow.video_flow import VideoFlow

_RELAXATIONS = 60  # at each level of the pyramid; more make no visible difference
# The hole's content disturbs flow near it too: DIS matches patches of 8 pixels, and
# at coarser levels of its pyramid they cover more of the frame.
_MARGIN = 8
_AROUND = 4  # known pixels on each side of the box that is filled
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def complete_video_flow(
  video_flow: VideoFlow,
  hole_masks: Shaped[np.ndarray, "T H W 1"],
  *,
  margin: int = _MARGIN,
) -> VideoFlow:
  """Replaces the flow in the hole, and near it, by a smooth continuation.

  Args:
    video_flow: from `estimate_video_flow`.
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.
    margin: flow this many pixels around the hole is replaced as well.

  Returns:
    The same flows; pixels further from the hole than the margin are unchanged.
  """
  side = 2 * margin + 1
  disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
  unknown = np.stack(
    [cv2.dilate((mask[..., 0] > 0).astype(np.uint8), disc) > 0 for mask in hole_masks]
  )

  def complete(flows: np.ndarray, masks: np.ndarray) -> np.ndarray:
    fill = map_frames(lambda t: _fill_in_boxes(flows[t], masks[t]), len(flows))
    return np.stack(fill)

  return tuple(
    dataclasses.replace(
      pairs,
      forward=complete(pairs.forward, unknown[: -pairs.stride]),
      backward=complete(pairs.backward, unknown[pairs.stride :]),
    )
    for pairs in video_flow
  )


def _fill_in_boxes(field: np.ndarray, unknown: np.ndarray) -> np.ndarray:
  """As `fill_smoothly`, each connected part by itself and from what is around it."""
  filled = field.copy()
  count, labels = cv2.connectedComponents(unknown.astype(np.uint8))
  for label in range(1, count):
    part = labels == label
    lines = [np.flatnonzero(part.any(axis=axis)) for axis in (1, 0)]
    box = tuple(slice(max(0, x[0] - _AROUND), x[-1] + 1 + _AROUND) for x in lines)
    filled[box][part[box]] = fill_smoothly(field[box], unknown[box])[part[box]]
  return filled


def fill_smoothly(
  field: Float[np.ndarray, "H W C"], unknown: Bool[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W C"]:
  """Fills unknown pixels with the mean of their neighbours, as a membrane would.

  Unknown pixels are first filled at half the size, recursively, and then relaxed.

  Args:
    field: `[H, W, C]` float32.
    unknown: `[H, W]` bool.

  Returns:
    `[H, W, C]` float32; known pixels unchanged, all zero if no pixel is known.
  """
  field = np.where(unknown[..., None], 0, field).astype(np.float32)
  if not unknown.any() or unknown.all():
    return field
  height, width = unknown.shape
  if min(height, width) > 2:
    half = fill_smoothly(*_halve(field, ~unknown))
    coarse = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    guess = coarse.reshape(field.shape)
  else:
    guess = np.broadcast_to(field[~unknown].mean(axis=0), field.shape)
  filled = np.where(unknown[..., None], guess, field)
  filled, inside = np.ascontiguousarray(filled), unknown.astype(np.uint8)
  for _ in range(_RELAXATIONS):
    mean = cv2.filter2D(filled, -1, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
    cv2.copyTo(mean, inside, filled)
  return filled


def _halve(field: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The mean of the known pixels in each 2x2 block, and which blocks have none."""
  height, width = known.shape
  odd = ((0, height % 2), (0, width % 2))
  total = _add_blocks(np.pad(field, (*odd, (0, 0))))
  count = _add_blocks(np.pad(known, odd).astype(np.float32))
  return total / np.maximum(count, 1)[..., None], count == 0


def _add_blocks(image: np.ndarray) -> np.ndarray:
  """The sum of each 2x2 block."""
  rows = image[::2] + image[1::2]
  return rows[:, ::2] + rows[:, 1::2]
