"""Whether the arrays of a clip can be trained on; read before anything is compiled."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from dipvid_jax.errors import InputError
from flow import VideoFlow


def check_frames(frames: np.ndarray) -> np.ndarray:
  """Checks a clip's frames.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1], finite.

  Returns:
    The same in float32.

  Raises:
    InputError: another shape, type or range.
  """
  frames = np.asarray(frames)
  if frames.ndim != 4 or frames.shape[-1] != 3:
    raise InputError(f"frames must be [T, H, W, 3], got {frames.shape}")
  if not jnp.issubdtype(frames.dtype, jnp.floating):  # bfloat16 as well
    raise InputError(
      f"frames must be float in [0, 1], got {frames.dtype}; divide by 255"
    )
  if not frames.size:
    raise InputError(f"frames are empty: {frames.shape}")
  frames = frames.astype(np.float32)
  if not (np.isfinite(frames).all() and frames.min() >= 0 and frames.max() <= 1):
    raise InputError("frames must be finite and in [0, 1], in the hole too")
  return frames


def check_hole_masks(
  hole_masks: np.ndarray, shape: Sequence[int], *, soft: bool = False
) -> np.ndarray:
  """Checks a clip's masks.

  Args:
    hole_masks: `[T, H, W, 1]`, 1 = fill, 0 = observed.
    shape: of the frames.
    soft: values between are allowed.

  Returns:
    The same in float32.

  Raises:
    InputError: another shape or range, or nothing is observed.
  """
  hole_masks = np.asarray(hole_masks)
  expected = (*shape[:3], 1)
  if hole_masks.shape != expected:
    raise InputError(
      f"hole_masks must be {expected} like the frames, got {hole_masks.shape}"
    )
  if not soft and not np.isin(hole_masks, (0, 1)).all():
    raise InputError("hole_masks must be 0 (observed) or 1 (fill)")
  if soft and not ((hole_masks >= 0) & (hole_masks <= 1)).all():
    raise InputError("hole_masks must be from 0 (observed) to 1 (fill)")
  if (hole_masks == 1).all():
    raise InputError("hole_masks mark the whole of every frame; nothing is left to fit")
  return hole_masks.astype(np.float32)


def check_flow(
  video_flow: VideoFlow, *, strides: Sequence[int], shape: Sequence[int]
) -> None:
  """Checks a clip's known flow.

  Args:
    video_flow: from `flow.estimate_video_flow`.
    strides: that it should have.
    shape: of the frames.

  Raises:
    InputError: other strides or shapes, or not finite.
  """
  strides = tuple(strides)
  expected = [(t, (shape[0] - t, *shape[1:3], 2)) for t in strides]
  if [(pairs.stride, pairs.forward.shape) for pairs in video_flow] != expected:
    raise InputError(
      f"video_flow must hold strides {strides} of a clip {tuple(shape[:3])}; "
      f"estimate_video_flow(frames, strides={strides}) makes it"
    )
  if not all(np.isfinite([p.forward, p.backward]).all() for p in video_flow):
    raise InputError("video_flow must be finite")
