"""Completes the flow inside a hole smoothly from its surroundings."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from flow.video_flow import VideoFlow

_RELAXATIONS = 60  # at each level of the pyramid; more make no visible difference
# The hole's content disturbs flow near it too: DIS matches patches of 8 pixels, and
# at coarser levels of its pyramid they cover more of the frame.
_MARGIN = 8
_AROUND = 4  # known pixels on each side of the box that is filled


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
    return np.stack([_fill_in_boxes(*pair) for pair in zip(flows, masks, strict=True)])

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
  for _ in range(_RELAXATIONS):
    around = np.pad(filled, ((1, 1), (1, 1), (0, 0)), mode="edge")
    mean = (around[:-2, 1:-1] + around[2:, 1:-1]) + (
      around[1:-1, :-2] + around[1:-1, 2:]
    )
    filled = np.where(unknown[..., None], mean / 4, field)
  return filled


def _halve(field: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The mean of the known pixels in each 2x2 block, and which blocks have none."""
  height, width = known.shape
  rows, columns = (height + 1) // 2, (width + 1) // 2
  odd = ((0, 2 * rows - height), (0, 2 * columns - width))
  blocks = (rows, 2, columns, 2)
  total = np.pad(field, (*odd, (0, 0))).reshape(*blocks, -1).sum(axis=(1, 3))
  count = np.pad(known, odd).reshape(blocks).sum(axis=(1, 3))
  return total / np.maximum(count, 1)[..., None], count == 0
