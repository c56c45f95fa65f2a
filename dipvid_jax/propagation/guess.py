"""How far carried and filled pixels are off on this clip, measured where it is known.

Copies of the hole are laid over known parts of the clip and filled like the hole
itself; there the truth is at hand. What is learnt is the squared error to be expected
of a carried pixel by its confidence, and of a filled one by its depth in the hole.
"""

from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.propagation.carrying import carry_known_pixels
from dipvid_jax.propagation.telea import telea
from flow import PairFlow, complete_video_flow

_COPIES = 6
_BINS = 12
_SMALLEST = 1e-5  # of an expected error: half a level of 8 bits, squared
# Of the errors of equally confident carried pixels: a copy also hides what moves by
# itself or is uncovered nowhere, and a few pixels far off would speak for all.
_LARGEST_LEFT_OUT = 0.05


class Copies(NamedTuple):
  """The guess of known pixels, had they been hidden like the hole.

  Attributes:
    where: `[K, 3]` int, frame, row and column.
    frames: `[K, 3]` float, RGB.
    error: `[K]` float, expected squared error.
  """

  where: np.ndarray
  frames: np.ndarray
  error: np.ndarray


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
    copies: how the guess did on known pixels.
  """

  carried: np.ndarray
  trust: np.ndarray
  frames: np.ndarray
  error: np.ndarray
  copies: Copies


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
  copies = [_measure_copy(filled, hole_masks, pairs, generator) for _ in range(_COPIES)]
  copy = _Copy(*map(np.concatenate, zip(*copies, strict=True)))
  weigh = _learn_to_weigh(copy)
  hole = hole_masks[..., 0] > 0
  weights = weigh(carried.confidence[hole][:, 0], _depth(hole_masks)[hole])
  share, trust, error = (
    np.full(hole_masks.shape, outside, np.float32) for outside in (1, 1, 0)
  )
  share[hole, 0], trust[hole, 0], error[hole, 0] = weights
  frames = _mix(share, carried.frames, filled)
  copy_share, _, copy_error = weigh(copy.confidence, copy.depth)
  mixture = _mix(copy_share[:, None], copy.carried, copy.filled)
  guess_of_copies = Copies(copy.where, mixture, copy_error)
  return Guess(carried.frames, trust, frames, error, guess_of_copies)


def network_share(
  image: np.ndarray, frames: np.ndarray, guess: Guess, *, unseen: float = 1.0
) -> np.ndarray:
  """How much of the network's frames goes into the result.

  Network and guess are compared on the copies, on the same pixels. The network has
  learnt from the guess, so the two do not err independently: the squares of their
  errors decide.

  Args:
    image: `[T, H, W, 3]` float32 RGB in [0, 1], the network's frames.
    frames: `[T, H, W, 3]` float32, the input, known under the copies.
    guess: from `make_guess`.
    unseen: how many times larger the network's squared error is on pixels that it has
      not learnt; it has learnt those under the copies.

  Returns:
    `[T, H, W, 1]` float32 in [0, 1], 0 outside the hole.
  """
  copies = guess.copies
  under = tuple(copies.where.T)
  off = unseen * _error(image[under], frames[under])
  guess_off = _error(copies.frames, frames[under])
  of_guess, of_network = (
    _fit_rising(copies.error, error, leave_out=_LARGEST_LEFT_OUT)(guess.error)
    for error in (guess_off, off)
  )
  share = 1 - 1 / (1 + np.square(of_guess / of_network))
  return np.where(guess.error > 0, share, 0).astype(np.float32)


class _Copy(NamedTuple):
  """The pixels under a copy of the hole: `[P, 3]` places, `[P]` and `[P, 3]`."""

  where: np.ndarray
  confidence: np.ndarray
  depth: np.ndarray
  carried: np.ndarray
  filled: np.ndarray
  truth: np.ndarray


def _learn_to_weigh(copy):
  """A function of confidence and depth: share of the carried, trust in it, the error.

  Both are mixed by their inverse errors, the best for independent guesses. What to
  expect of the carried as something to learn is measured with no error left out.
  """
  arrived = copy.confidence > 0
  of_arrived = -copy.confidence[arrived], _error(copy.carried, copy.truth)[arrived]
  by_confidence = _fit_rising(*of_arrived, leave_out=_LARGEST_LEFT_OUT)
  by_confidence_with_all = _fit_rising(*of_arrived)
  by_depth = _fit_rising(copy.depth, _error(copy.filled, copy.truth))

  def weigh(confidence, depth):
    of_filled = by_depth(depth)
    ratio = by_confidence(-confidence) / of_filled
    ratio_with_all = by_confidence_with_all(-confidence) / of_filled
    share = np.where(confidence > 0, 1 / (1 + ratio), 0)
    trust = np.where(confidence > 0, 1 / (1 + np.square(ratio_with_all)), 0)
    return share, trust, (1 - share) * of_filled

  return weigh


def _mix(share, one, other):
  return share * one + (1 - share) * other


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
    where=np.argwhere(known),
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
