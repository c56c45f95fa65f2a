"""How far carried and filled pixels are off on this clip, measured where it is known.

Copies of the hole are laid over known parts of the clip and filled like the hole
itself; there the truth is at hand. What is learnt is the squared error to be expected
of a carried pixel by its confidence, and of a filled one by its depth in the hole.
"""

from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.carry import carry_known_pixels
from dipvid_jax.yardsticks import telea
from flow import PairFlow, complete_video_flow

_COPIES = 6
_BINS = 12
_SMALLEST = 1e-5  # of an expected error: half a level of 8 bits, squared
# Of the errors of equally confident carried pixels: a copy also hides what moves by
# itself or is uncovered nowhere, and a few pixels far off would speak for all.
_LARGEST_LEFT_OUT = 0.05


class Guess(NamedTuple):
  """What is known or guessed of every pixel without a network, and how well.

  Attributes:
    carried: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, carried
      pixels inside; what the network may learn.
    trust: `[T, H, W, 1]` float32 in [0, 1], how much it shall: 1 outside the hole,
      inside how far carried pixels proved better than filled ones.
    frames: `[T, H, W, 3]` float32: as `carried`, but inside the better of the carried
      and the filled pixel, or a mean; what goes into the result.
    error: `[T, H, W, 1]` float32, expected squared error of `frames`, 0 outside the
      hole and above 0 inside.
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
  weigh = _learn_to_weigh(
    [_measure_copy(filled, hole_masks, pairs, generator) for _ in range(_COPIES)]
  )
  hole = hole_masks[..., 0] > 0
  weights = weigh(carried.confidence[hole][:, 0], _depth(hole_masks)[hole])
  share, trust, error = (
    np.full(hole_masks.shape, outside, np.float32) for outside in (1, 1, 0)
  )
  share[hole, 0], trust[hole, 0], error[hole, 0] = weights
  frames = share * carried.frames + (1 - share) * filled
  return Guess(carried.frames, trust, frames, error)


def network_share(network_error: float, guess: Guess) -> np.ndarray:
  """How much of the network's frames goes into the result.

  By the inverse squares of the expected errors: the network has learnt from the
  guess, so that the two do not err independently.

  Args:
    network_error: mean squared error of the network's frames, intensity in [0, 1].
    guess: from `make_guess`.

  Returns:
    `[T, H, W, 1]` float32 in [0, 1], 0 outside the hole.
  """
  ratio = guess.error / max(network_error, _SMALLEST)
  return np.where(guess.error > 0, 1 - 1 / (1 + np.square(ratio)), 0)


class _Copy(NamedTuple):
  """The pixels under a copy of the hole: `[P]` and `[P, 3]`."""

  confidence: np.ndarray
  depth: np.ndarray
  carried: np.ndarray
  filled: np.ndarray
  truth: np.ndarray


def _learn_to_weigh(copies):
  """A function of confidence and depth: share of the carried, trust in it, the error.

  Both are mixed by their inverse errors, the best for independent guesses. What to
  expect of the mixture, and of the carried as something to learn, is measured with no
  error left out.
  """
  copy = _Copy(*map(np.concatenate, zip(*copies, strict=True)))
  arrived = copy.confidence > 0
  of_arrived = -copy.confidence[arrived], _error(copy.carried, copy.truth)[arrived]
  by_confidence = _fit_rising(*of_arrived, leave_out=_LARGEST_LEFT_OUT)
  by_confidence_with_all = _fit_rising(*of_arrived)
  by_depth = _fit_rising(copy.depth, _error(copy.filled, copy.truth))

  def predict(confidence, depth):
    of_carried, of_filled = by_confidence(-confidence), by_depth(depth)
    share = np.where(confidence > 0, 1 / (1 + of_carried / of_filled), 0)
    return share, (1 - share) * of_filled

  share, predicted = predict(copy.confidence, copy.depth)
  mixture = share[:, None] * copy.carried + (1 - share[:, None]) * copy.filled
  by_prediction = _fit_rising(predicted, _error(mixture, copy.truth))

  def weigh(confidence, depth):
    share, predicted = predict(confidence, depth)
    ratio = by_confidence_with_all(-confidence) / by_depth(depth)
    trust = np.where(confidence > 0, 1 / (1 + np.square(ratio)), 0)
    return share, trust, by_prediction(predicted)

  return weigh


def _error(frames, truth):
  return np.mean(np.square(frames - truth), axis=-1)


def _carry(filled, hole_masks, pairs):
  (completed,) = complete_video_flow((pairs,), hole_masks)
  return carry_known_pixels(filled, hole_masks, completed)


def _measure_copy(filled, hole_masks, pairs, generator):
  """What carrying and filling make of known pixels under a copy of the hole.

  The hole's own pixels are hidden there, too, and count for nothing.
  """
  height, width = hole_masks.shape[1:3]
  shift = (
    generator.integers(-height // 3, height // 3 + 1),
    generator.integers(-width // 2, width // 2 + 1),
  )
  copy = np.roll(hole_masks, shift, axis=(1, 2))
  hidden = np.maximum(copy, hole_masks)
  known = ((copy > 0) & (hole_masks == 0))[..., 0]
  carried = _carry(filled, hidden, pairs)
  return _Copy(
    confidence=carried.confidence[known][:, 0],
    depth=_depth(hidden)[known],
    carried=carried.frames[known],
    filled=telea(filled, hidden)[known],
    truth=filled[known],
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
    return lambda at: np.ones(np.shape(at))  # nothing is known: the largest there is
  order = np.argsort(x, kind="stable")
  groups = np.array_split(order, min(_BINS, len(x)))
  centres = np.array([x[group].mean() for group in groups])
  means = np.array([_trimmed_mean(error[group], leave_out) for group in groups])
  means = np.maximum(np.maximum.accumulate(means), _SMALLEST)
  return lambda at: np.interp(at, centres, means)


def _trimmed_mean(error, leave_out):
  kept = np.sort(error)[: max(1, round((1 - leave_out) * len(error)))]
  return kept.mean()
