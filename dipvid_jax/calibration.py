"""How far carried and filled pixels are off on this clip, measured where it is known.

Copies of the hole are laid over known parts of the clip and filled like the hole
itself; there the truth is at hand. What is learnt is the squared error to be expected
of a carried pixel by its confidence, and of a filled one by its depth in the hole.
"""

from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.carry import Carried, carry_known_pixels
from dipvid_jax.yardsticks import telea
from flow import PairFlow, complete_video_flow

_COPIES = 6
_BINS = 12
_SMALLEST = 1e-5  # of an expected error: half a level of 8 bits, squared
# Of the errors of equally confident carried pixels: a copy also hides what moves by
# itself or is uncovered nowhere, and a few pixels far off would speak for all.
_LARGEST_LEFT_OUT = 0.05


class Errors(NamedTuple):
  """Expected squared errors of a hole's pixels, intensity in [0, 1].

  Attributes:
    carried: `[T, H, W, 1]` float32, of carried pixels; infinite where none arrived.
    filled: `[T, H, W, 1]` float32, of those filled from the hole's border.
  """

  carried: np.ndarray
  filled: np.ndarray


class Guess(NamedTuple):
  """What is known or guessed of every pixel without a network, and how well.

  Attributes:
    carried: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, carried
      pixels inside; what the network may learn.
    trust: `[T, H, W, 1]` float32 in [0, 1], how much it shall: 1 outside the hole,
      inside how far carried pixels proved better than filled ones.
    frames: `[T, H, W, 3]` float32: as `carried`, but inside the better of the carried
      and the filled pixel, or a mean; what goes into the result.
    error: `[T, H, W, 1]` float32, expected squared error of `frames`, 0 outside.
  """

  carried: np.ndarray
  trust: np.ndarray
  frames: np.ndarray
  error: np.ndarray


def make_guess(
  filled: np.ndarray,
  hole_masks: np.ndarray,
  pairs: PairFlow,
  *,
  generator: np.random.Generator,
) -> Guess:
  """Carries known pixels into the hole and weighs them by what they proved worth.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled by `telea`.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow of `filled` at stride 1, as it was estimated.
    generator: draws where the copies of the hole lie.

  Returns:
    The guess.
  """
  carried = _carry(filled, hole_masks, pairs)
  errors = expected_errors(
    filled, hole_masks, pairs, carried=carried, generator=generator
  )
  hole = hole_masks > 0
  share = share_of(errors.carried, errors.filled)
  share = np.where(hole, share, 1)
  # The errors of both are taken as independent; infinity has no share.
  finite = np.where(share > 0, errors.carried, 0)
  error = share**2 * finite + (1 - share) ** 2 * errors.filled
  arrays = (
    carried.frames,
    share,
    share * carried.frames + (1 - share) * filled,
    np.where(hole, error, 0),
  )
  return Guess(*(array.astype(np.float32) for array in arrays))


def share_of(error: np.ndarray, other_error: np.ndarray | float) -> np.ndarray:
  """How much of one guess to take where there is another one.

  By the inverses of their expected errors, the best for independent guesses.

  Args:
    error: expected squared error of the guess, 0 where it is certain.
    other_error: of the other, above 0.

  Returns:
    The share in [0, 1].
  """
  return 1 / (1 + error / other_error)


def network_share(
  image: np.ndarray, guess: Guess, hole_masks: np.ndarray
) -> np.ndarray:
  """How much of the network's frames goes into the result.

  Args:
    image: `[T, H, W, 3]` float32, the network's frames.
    guess: from `make_guess`.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.

  Returns:
    `[T, H, W, 1]` float32: 0 outside the hole, inside what the network's error on
    known pixels and the error of the guess give it.
  """
  known = hole_masks[..., 0] == 0
  off = np.square(image - guess.frames)[known].mean() if known.any() else 0
  return 1 - share_of(guess.error, max(float(off), _SMALLEST))


def expected_errors(
  filled: np.ndarray,
  hole_masks: np.ndarray,
  pairs: PairFlow,
  *,
  carried: Carried,
  generator: np.random.Generator,
) -> Errors:
  """Measures carrying and filling under copies of the hole, over known pixels.

  The hole's own pixels are hidden there, too, and count for nothing.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled by `telea`.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow of `filled` at stride 1, as it was estimated.
    carried: into the hole itself, whose errors are asked for.
    generator: draws where the copies lie.

  Returns:
    The errors; of carried pixels they fall with the confidence, of filled ones they
    rise with the depth.
  """
  samples = [
    _measure_copy(filled, hole_masks, pairs, generator) for _ in range(_COPIES)
  ]
  confidence, depth, carried_error, filled_error = map(
    np.concatenate, zip(*samples, strict=True)
  )
  arrived = confidence > 0
  by_confidence = _fit_rising(
    -confidence[arrived], carried_error[arrived], leave_out=_LARGEST_LEFT_OUT
  )
  by_depth = _fit_rising(depth, filled_error)
  off = by_confidence(-carried.confidence)
  return Errors(
    carried=np.where(carried.confidence > 0, off, np.inf).astype(np.float32),
    filled=by_depth(_depth(hole_masks))[..., None].astype(np.float32),
  )


def _carry(filled, hole_masks, pairs):
  (completed,) = complete_video_flow((pairs,), hole_masks)
  return carry_known_pixels(filled, hole_masks, completed)


def _measure_copy(filled, hole_masks, pairs, generator):
  """Confidence, depth and both squared errors of the pixels under one copy."""
  height, width = hole_masks.shape[1:3]
  shift = (
    generator.integers(-height // 3, height // 3 + 1),
    generator.integers(-width // 2, width // 2 + 1),
  )
  copy = np.roll(hole_masks, shift, axis=(1, 2))
  hidden = np.maximum(copy, hole_masks)
  known = ((copy > 0) & (hole_masks == 0))[..., 0]
  carried = _carry(filled, hidden, pairs)
  refilled = telea(filled, hidden)

  def error(frames):
    return np.mean(np.square(frames[known] - filled[known]), axis=-1)

  return (
    carried.confidence[known][:, 0],
    _depth(hidden)[known],
    error(carried.frames),
    error(refilled),
  )


def _depth(hole_masks):
  """`[T, H, W]`: distance to the nearest known pixel, in pixels."""
  return np.stack(
    [
      cv2.distanceTransform(
        (mask[..., 0] > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
      )
      for mask in hole_masks
    ]
  )


def _fit_rising(x, error, *, leave_out=0.0):
  """The mean error as a function that rises with x, from samples in equal groups.

  Of each group the largest errors, a share of `leave_out`, are left out.
  """
  if not len(x):
    return lambda at: np.full(np.shape(at), np.inf)
  order = np.argsort(x, kind="stable")
  groups = np.array_split(order, min(_BINS, len(x)))
  centres = np.array([x[group].mean() for group in groups])
  means = np.array([_trimmed_mean(error[group], leave_out) for group in groups])
  means = np.maximum(np.maximum.accumulate(means), _SMALLEST)
  return lambda at: np.interp(at, centres, means)


def _trimmed_mean(error, leave_out):
  kept = np.sort(error)[: max(1, round((1 - leave_out) * len(error)))]
  return kept.mean()
