"""The flow of a whole clip: every pair of frames at each stride, both directions."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float

from flow.consistency import visible_mask
from flow.estimators import DISEstimator, Estimator
from flow.types import check_floating

_BLANK = 1 / 8  # of the other frame's contrast; light that changes keeps more
_NOISE = 1.5 / 255  # contrast of a black frame after compression
_NOISY_BLANK = 1 / 2  # of the other frame's contrast, if it is no more than noise


@dataclasses.dataclass(frozen=True)
class PairFlow:
  """Flow between all pairs of frames at one stride t; P = T - t pairs.

  Attributes:
    stride: t, in frames.
    forward: `[P, H, W, 2]` float32, entry i from frame i to frame i + t, pixels.
    backward: `[P, H, W, 2]` float32, entry i from frame i + t to frame i, pixels.
    forward_visible: `[P, H, W, 1]` bool, where `forward` can be trusted.
    backward_visible: `[P, H, W, 1]` bool, where `backward` can be trusted.
  """

  stride: int
  forward: Float[np.ndarray, "P H W 2"]
  backward: Float[np.ndarray, "P H W 2"]
  forward_visible: Bool[np.ndarray, "P H W 1"]
  backward_visible: Bool[np.ndarray, "P H W 1"]


VideoFlow = tuple[PairFlow, ...]


def neighbour_flow(video_flow: VideoFlow) -> PairFlow:
  """The flow between neighbouring frames, at stride 1.

  Args:
    video_flow: stride 1 must be among its strides.

  Returns:
    The pairs at that stride.
  """
  return next(pairs for pairs in video_flow if pairs.stride == 1)


def estimate_video_flow(
  frames: np.ndarray,
  *,
  strides: Sequence[int] = (1, 3, 5),
  estimator: Estimator | None = None,
  on_progress: Callable[[int], None] | None = None,
) -> VideoFlow:
  """Estimates flow and visibility for all pairs of a clip.

  Where one frame of a pair is blank (black, white) and the other is not, nothing is
  visible.

  Args:
    frames: `[T, H, W, 3]` float, RGB in [0, 1].
    strides: distances in frames, each from 1 to T-1.
    estimator: from `make_estimator`; None for DIS.
    on_progress: called with the number of flows just computed.

  Returns:
    A `PairFlow` for each stride.

  Raises:
    ValueError: the frames have another shape, or a stride is outside 1 to T-1.
    TypeError: the frames are not float.
  """
  frames = np.asarray(frames)
  if frames.ndim != 4 or frames.shape[-1] != 3:
    raise ValueError(f"frames must be [T, H, W, 3], got {frames.shape}")
  check_floating("frames", frames)
  for stride in strides:
    if not 1 <= stride < len(frames):
      raise ValueError(
        f"stride {stride} needs 1 to {len(frames) - 1} for {len(frames)} frames"
      )
  estimator = estimator or DISEstimator()
  report = on_progress or (lambda _: None)
  return tuple(_pair_flow(frames, stride, estimator, report) for stride in strides)


def _pair_flow(
  frames: np.ndarray,
  stride: int,
  estimator: Estimator,
  report: Callable[[int], None],
) -> PairFlow:
  earlier, later = frames[:-stride], frames[stride:]
  forward = _estimate(earlier, later, estimator, report)
  backward = _estimate(later, earlier, estimator, report)
  comparable = _comparable(frames, stride)[:, None, None, None]
  return PairFlow(
    stride,
    forward,
    backward,
    _visible(forward, backward) & comparable,
    _visible(backward, forward) & comparable,
  )


def _comparable(frames: np.ndarray, stride: int) -> np.ndarray:
  """`[P]` bool: false where one frame of a pair is blank beside the other.

  A search in a black or white frame finds no motion, there and back: without a look at
  the frames, all of it would count as visible.
  """
  contrast = np.array([float(frame.std(axis=(0, 1)).max()) for frame in frames])
  lower, higher = np.sort([contrast[:-stride], contrast[stride:]], axis=0)
  enough = np.where(lower < _NOISE, _NOISY_BLANK, _BLANK) * higher
  return (lower >= enough) | (higher < _NOISE)


def _estimate(
  first: np.ndarray,
  second: np.ndarray,
  estimator: Estimator,
  report: Callable[[int], None],
) -> np.ndarray:
  step = estimator.pairs_per_call
  flows = []
  for i in range(0, len(first), step):
    flow = estimator(first[i : i + step], second[i : i + step])
    flows.append(np.asarray(flow, np.float32))
    report(len(flow))
  return np.concatenate(flows)


def _visible(flow_ij: np.ndarray, flow_ji: np.ndarray) -> np.ndarray:
  visible = [
    np.asarray(_visible_pair(a[None], b[None])[0]) > 0
    for a, b in zip(flow_ij, flow_ji, strict=True)
  ]
  return np.stack(visible)


_visible_pair = jax.jit(visible_mask)
