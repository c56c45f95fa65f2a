"""How reliable carried and filled pixels are on this clip, measured on known pixels.

Copies of the hole are laid over known parts of the clip and filled like the hole
itself; there the truth is known. They give the expected squared error of a carried
pixel by its confidence, and of a filled one by its depth in the hole.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from dipvid_jax.propagation.carrying import Carried, carry_known_pixels
from dipvid_jax.propagation.telea import telea
from flow import PairFlow, complete_video_flow

# Share of the errors of equally confident carried pixels: a copy also hides what moves
# by itself or is never uncovered, and a few such outliers would dominate the mean.
LARGEST_LEFT_OUT = 0.05
_COPIES = 6
_BINS = 12
_SMALLEST = 1e-5  # lower bound of an expected error: below one 8-bit level, squared

ErrorModel = Callable[[np.ndarray], np.ndarray]


class HoleCopies(NamedTuple):
  """The pixels under all copies of the hole.

  Attributes:
    where: `[P, 3]` int, frame, row and column.
    confidence: `[P]` float, of the carried pixels; 0 where none arrived.
    depth: `[P]` float, distance to the nearest known pixel, in pixels.
    carried: `[P, 3]` float RGB, what carrying gives there.
    filled: `[P, 3]` float RGB, what Telea gives there.
    truth: `[P, 3]` float RGB, the clip.
  """

  where: Int[np.ndarray, "P 3"]
  confidence: Float[np.ndarray, " P"]
  depth: Float[np.ndarray, " P"]
  carried: Float[np.ndarray, "P 3"]
  filled: Float[np.ndarray, "P 3"]
  truth: Float[np.ndarray, "P 3"]


class Weights(NamedTuple):
  """How carried and filled pixels are mixed: three arrays of the same shape.

  Attributes:
    share: of the carried pixel in the mixture, in [0, 1].
    trust: in the carried pixel as a training target, in [0, 1].
    error: expected squared error of the mixture.
  """

  share: Float[np.ndarray, " P"]
  trust: Float[np.ndarray, " P"]
  error: Float[np.ndarray, " P"]


def carry(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
) -> Carried:
  """Completes the flow in the hole and carries known pixels along it.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow at stride 1, as estimated.

  Returns:
    The carried clip.
  """
  (completed,) = complete_video_flow((pairs,), hole_masks)
  return carry_known_pixels(filled, hole_masks, completed)


def measure_copies(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
  *,
  generator: np.random.Generator,
) -> HoleCopies:
  """Carries and fills under copies of the hole.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow at stride 1, as estimated.
    generator: draws the copies' places.

  Returns:
    The pixels of all copies.
  """
  copies = [_measure_copy(filled, hole_masks, pairs, generator) for _ in range(_COPIES)]
  return HoleCopies(*map(np.concatenate, zip(*copies, strict=True)))


def _measure_copy(
  filled: np.ndarray,
  hole_masks: np.ndarray,
  pairs: PairFlow,
  generator: np.random.Generator,
) -> HoleCopies:
  """One copy; the hole's own pixels are hidden too, but not measured."""
  height, width = hole_masks.shape[1:3]
  shift = (
    generator.integers(-height // 3, height // 3 + 1),
    generator.integers(-width // 2, width // 2 + 1),
  )
  copy = np.roll(hole_masks, shift, axis=(1, 2))
  hidden = np.maximum(copy, hole_masks)
  known = ((copy > 0) & (hole_masks == 0))[..., 0]
  carried = carry(filled, hidden, pairs)
  return HoleCopies(
    where=np.argwhere(known),
    confidence=carried.confidence[known][:, 0],
    depth=hole_depth(hidden)[known],
    carried=carried.frames[known],
    filled=telea(filled, hidden)[known],
    truth=filled[known],
  )


def hole_depth(
  hole_masks: Shaped[np.ndarray, "T H W 1"],
) -> Float32[np.ndarray, "T H W"]:
  """Distance of every pixel to the nearest known one.

  Args:
    hole_masks: `[T, H, W, 1]`, above 0 = hole.

  Returns:
    `[T, H, W]` float32, pixels; 0 outside the hole.
  """
  return np.stack(
    [
      cv2.distanceTransform(
        (mask[..., 0] > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
      )
      for mask in hole_masks
    ]
  )


def learn_to_weigh(
  copies: HoleCopies,
) -> Callable[[np.ndarray, np.ndarray], Weights]:
  """Fits the errors under the copies.

  Carried and filled pixels are weighted by their inverse errors, which is optimal for
  independent errors. The trust in a carried pixel as a target uses all errors.

  Args:
    copies: from `measure_copies`.

  Returns:
    A function from confidence and depth, `[P]` each, to `Weights` of `[P]`.
  """
  arrived = copies.confidence > 0
  confidence = copies.confidence[arrived]
  off = squared_error(copies.carried, copies.truth)[arrived]
  by_confidence = fit_rising(-confidence, off, leave_out=LARGEST_LEFT_OUT)
  by_confidence_with_all = fit_rising(-confidence, off)
  by_depth = fit_rising(copies.depth, squared_error(copies.filled, copies.truth))

  def weigh(
    confidence: Float[np.ndarray, " P"], depth: Float[np.ndarray, " P"]
  ) -> Weights:
    of_filled = by_depth(depth)
    ratio = by_confidence(-confidence) / of_filled
    ratio_with_all = by_confidence_with_all(-confidence) / of_filled
    share = np.where(confidence > 0, 1 / (1 + ratio), 0)
    trust = np.where(confidence > 0, 1 / (1 + np.square(ratio_with_all)), 0)
    return Weights(share, trust, (1 - share) * of_filled)

  return weigh


def squared_error(
  frames: Float[np.ndarray, "*lead 3"], truth: Float[np.ndarray, "*lead 3"]
) -> Float[np.ndarray, "*lead"]:
  """The mean over the channels of the squared difference."""
  return np.mean(np.square(frames - truth), axis=-1)


def fit_rising(
  x: Float[np.ndarray, " P"],
  error: Float[np.ndarray, " P"],
  *,
  leave_out: float = 0.0,
) -> ErrorModel:
  """Fits the mean error as a function that rises with x.

  Samples are put into groups of equal size along x; between the groups' centres it is
  linear. Pooling (isotonic regression) would lower a group's mean because of later
  ones; the running maximum never expects less than was measured.

  Args:
    x: `[P]` float.
    error: `[P]` float.
    leave_out: share of each group's errors, the largest, that is ignored.

  Returns:
    A function from any array of x to errors; without samples 1, the largest possible.
  """
  if not len(x):
    return lambda at: np.ones(np.shape(at))
  order = np.argsort(x, kind="stable")
  groups = np.array_split(order, min(_BINS, len(x)))
  centres = np.array([x[group].mean() for group in groups])
  means = np.array([_trimmed_mean(error[group], leave_out) for group in groups])
  means = np.maximum(np.maximum.accumulate(means), _SMALLEST)
  return lambda at: np.interp(at, centres, means)


def _trimmed_mean(error: np.ndarray, leave_out: float) -> np.floating:
  kept = np.sort(error)[: max(1, round((1 - leave_out) * len(error)))]
  return kept.mean()
