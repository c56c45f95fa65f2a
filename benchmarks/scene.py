"""A synthetic clip for benchmarks; speed does not depend on what the frames show."""

import cv2
import numpy as np

from flow import PairFlow, VideoFlow

_HOLE_SHARE = 0.35  # of each side


def draw_clip(
  frame_count: int, *, height: int, width: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
  """Draws a clip of blurred noise with a rectangular hole.

  Args:
    frame_count: T.
    height, width: the working size.
    seed: seeds the noise.

  Returns:
    Frames `[T, H, W, 3]` float32 in [0, 1] and hole masks `[T, H, W, 1]` float32.
  """
  generator = np.random.default_rng(seed)
  frames = np.stack([_smooth(generator, height, width, 3) for _ in range(frame_count)])
  frames = (frames - frames.min()) / (frames.max() - frames.min())
  hole_masks = np.zeros((frame_count, height, width, 1), np.float32)
  rows, columns = int(height * _HOLE_SHARE), int(width * _HOLE_SHARE)
  hole_masks[:, rows : 2 * rows, columns : 2 * columns] = 1
  return frames.astype(np.float32), hole_masks


def draw_flow(
  frame_count: int, *, height: int, width: int, strides: tuple[int, ...] = (1, 3, 5)
) -> VideoFlow:
  """Draws smooth flow of a few pixels for every pair of a clip.

  Args:
    frame_count: T.
    height, width: the working size.
    strides: distances in frames.

  Returns:
    As `flow.estimate_video_flow`.
  """
  generator = np.random.default_rng(1)
  field = 40 * _smooth(generator, height, width, 2)
  video_flow = []
  for stride in strides:
    flow = np.broadcast_to(field, (frame_count - stride, *field.shape))
    visible = np.ones((*flow.shape[:3], 1), bool)
    video_flow.append(PairFlow(stride, flow, -flow, visible, visible))
  return tuple(video_flow)


def _smooth(
  generator: np.random.Generator, height: int, width: int, channels: int
) -> np.ndarray:
  noise = generator.standard_normal((height, width, channels)).astype(np.float32)
  return cv2.GaussianBlur(noise, (0, 0), 4)
