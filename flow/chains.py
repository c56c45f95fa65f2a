"""Flow over many frames: the steps between neighbours, one after the other."""

import cv2
import numpy as np
from jaxtyping import Float32

from flow.video_flow import PairFlow


def offsets_to(pairs: PairFlow, *, frame: int) -> Float32[np.ndarray, "T H W 2"]:
  """The flow from every frame of a scene to one of them, by chaining.

  Args:
    pairs: flow at stride 1, completed in the hole.
    frame: the number of the frame that the flow leads to.

  Returns:
    `[T, H, W, 2]` float32, (dx, dy) in pixels; points that leave a frame move with its
    border from there.

  Raises:
    ValueError: the flow is not of stride 1.
  """
  if pairs.stride != 1:
    raise ValueError(f"chaining needs flow at stride 1, got stride {pairs.stride}")
  count, (height, width) = len(pairs.forward) + 1, pairs.forward.shape[1:3]
  axes = np.arange(width), np.arange(height)
  grid = np.stack(np.meshgrid(*axes), axis=-1).astype(np.float32)
  offsets = np.zeros((count, height, width, 2), np.float32)
  for t in range(frame - 1, -1, -1):
    offsets[t] = _chain(pairs.forward[t], offsets[t + 1], grid)
  for t in range(frame + 1, count):
    offsets[t] = _chain(pairs.backward[t - 1], offsets[t - 1], grid)
  return offsets


def _chain(step: np.ndarray, rest: np.ndarray, grid: np.ndarray) -> np.ndarray:
  """One step's offset plus the rest of the way, sampled where the step ends."""
  x, y = np.moveaxis(grid + step, -1, 0)
  border = cv2.BORDER_REPLICATE
  return step + cv2.remap(rest, x, y, cv2.INTER_LINEAR, borderMode=border)
