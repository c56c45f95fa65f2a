"""How far two neighbouring result frames differ along the true motion."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from flow import PairFlow, backward_warp


class WarpingError(NamedTuple):
  """Mean squared differences, intensity in [0, 1]: all pixels, and the hole's."""

  whole: float
  hole: float


def warping_error(
  result: np.ndarray, hole_masks: np.ndarray, flow: PairFlow
) -> WarpingError:
  """Squared difference of each frame and the next one, warped onto it.

  Pixels count where the true flow is visible and points into the frame. The mean runs
  over the pixels and channels of a pair of frames, then over the pairs. The hole's
  error covers pixels in the hole of a pair's first frame, in pairs that have such
  pixels.

  Args:
    result: `[T, H, W, 3]` float in [0, 1].
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.
    flow: of the *true* frames at stride 1, from `flow.estimate_video_flow`.

  Returns:
    Both errors; NaN if no pair has a pixel that counts.

  Raises:
    ValueError: the flow belongs to another clip or stride.

  Reference: Lai et al., ECCV 2018 (with FlowNet2 and its own occlusion masks).
  """
  result = np.asarray(result, np.float32)
  if flow.stride != 1 or flow.forward.shape != (len(result) - 1, *result.shape[1:3], 2):
    raise ValueError(
      f"warping_error needs the flow of {result.shape} at stride 1, got "
      f"{flow.forward.shape} at stride {flow.stride}"
    )
  errors = []
  for t in range(len(result) - 1):
    warped, in_bounds = _warp(result[t + 1 : t + 2], flow.forward[t : t + 1])
    square = np.mean((result[t] - np.asarray(warped[0], np.float64)) ** 2, axis=-1)
    counts = (np.asarray(in_bounds[0, ..., 0]) > 0) & flow.forward_visible[t, ..., 0]
    hole = counts & (np.asarray(hole_masks[t, ..., 0]) > 0)
    errors.append([_mean(square[counts]), _mean(square[hole])])
  return WarpingError(
    *(_mean([e for e in kind if e == e]) for kind in zip(*errors, strict=True))
  )


def _mean(values: Sequence[float] | np.ndarray) -> float:
  return float(np.mean(values)) if len(values) else float("nan")


_warp = jax.jit(backward_warp)
