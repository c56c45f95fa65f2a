"""Flow inside a hole, completed smoothly from around it."""

import dataclasses

import cv2
import numpy as np

from flow.video_flow import VideoFlow

_RELAXATIONS = 60  # at each level of the pyramid; more change nothing visible
# Flow near the hole still feels what fills it: DIS matches patches of 8 pixels, the
# coarser ones of its pyramid reach further.
_MARGIN = 8


def complete_video_flow(
  video_flow: VideoFlow, hole_masks: np.ndarray, *, margin: int = _MARGIN
) -> VideoFlow:
  """Replaces the flow in the hole, and near it, by a smooth continuation.

  Args:
    video_flow: from `estimate_video_flow`.
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.
    margin: pixels around the hole that are replaced too.

  Returns:
    The same flows; known pixels further from the hole than the margin are kept.
  """
  side = 2 * margin + 1
  disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
  unknown = np.stack(
    [cv2.dilate((mask[..., 0] > 0).astype(np.uint8), disc) > 0 for mask in hole_masks]
  )

  def complete(flows, masks):
    return np.stack([fill_smoothly(*pair) for pair in zip(flows, masks, strict=True)])

  return tuple(
    dataclasses.replace(
      pairs,
      forward=complete(pairs.forward, unknown[: -pairs.stride]),
      backward=complete(pairs.backward, unknown[pairs.stride :]),
    )
    for pairs in video_flow
  )


def fill_smoothly(field: np.ndarray, unknown: np.ndarray) -> np.ndarray:
  """Fills a field's unknown pixels with the mean of their neighbours, a membrane.

  The unknown is first filled at half the size, recursively, and then relaxed.

  Args:
    field: `[H, W, C]` float32.
    unknown: `[H, W]` bool.

  Returns:
    `[H, W, C]` float32; known pixels as they were, zero where nothing is known.
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


def _halve(field, known):
  """Means of the known pixels of each 2x2 block, and which blocks have none."""
  height, width = known.shape
  rows, columns = (height + 1) // 2, (width + 1) // 2
  odd = ((0, 2 * rows - height), (0, 2 * columns - width))
  blocks = (rows, 2, columns, 2)
  total = np.pad(field, (*odd, (0, 0))).reshape(*blocks, -1).sum(axis=(1, 3))
  count = np.pad(known, odd).reshape(blocks).sum(axis=(1, 3))
  return total / np.maximum(count, 1)[..., None], count == 0
