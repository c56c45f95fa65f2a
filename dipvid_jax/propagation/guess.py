"""A guess of the hole's content: carried and filled pixels, mixed by reliability."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int

from dipvid_jax.propagation.reliability import (
  LARGEST_LEFT_OUT,
  carry,
  fit_rising,
  hole_depth,
  learn_to_weigh,
  measure_copies,
  squared_error,
)
from flow import PairFlow


class Copies(NamedTuple):
  """The guess of known pixels, made with them hidden like the hole.

  Attributes:
    where: `[P, 3]` int, frame, row and column.
    frames: `[P, 3]` float, RGB.
    error: `[P]` float, expected squared error.
  """

  where: Int[np.ndarray, "P 3"]
  frames: Float[np.ndarray, "P 3"]
  error: Float[np.ndarray, " P"]


class Guess(NamedTuple):
  """Every pixel, known or guessed without a network, and how reliable it is.

  Attributes:
    carried: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, carried
      pixels inside; what the network may learn.
    trust: `[T, H, W, 1]` float32 in [0, 1], the weight of `carried` in training: 1
      outside the hole; inside, by how much carried pixels proved better than filled.
    frames: `[T, H, W, 3]` float32: as `carried` outside the hole; inside, the mixture
      of carried and filled pixels that goes into the result.
    error: `[T, H, W, 1]` float32, expected squared error of `frames`, 0 outside the
      hole and above 0 inside.
    copies: the guess of known pixels, for comparison with the network.
  """

  carried: Float32[np.ndarray, "T H W 3"]
  trust: Float32[np.ndarray, "T H W 1"]
  frames: Float32[np.ndarray, "T H W 3"]
  error: Float32[np.ndarray, "T H W 1"]
  copies: Copies


def make_guess(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
  *,
  generator: np.random.Generator,
) -> Guess:
  """Carries known pixels into the hole and weights them by their errors under copies.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled by `telea`.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    pairs: flow of `filled` at stride 1, as estimated.
    generator: draws the places of the hole's copies.

  Returns:
    The guess.
  """
  carried = carry(filled, hole_masks, pairs)
  copies = measure_copies(filled, hole_masks, pairs, generator=generator)
  weigh = learn_to_weigh(copies)
  hole = hole_masks[..., 0] > 0
  weights = weigh(carried.confidence[hole][:, 0], hole_depth(hole_masks)[hole])
  share, trust, error = (
    np.full(hole_masks.shape, outside, np.float32) for outside in (1, 1, 0)
  )
  share[hole, 0], trust[hole, 0], error[hole, 0] = weights
  frames = _mix(share, carried.frames, filled)
  of_copies = weigh(copies.confidence, copies.depth)
  mixture = _mix(of_copies.share[:, None], copies.carried, copies.filled)
  proof = Copies(copies.where, mixture, of_copies.error)
  return Guess(carried.frames, trust, frames, error, proof)


def network_share(
  image: Float32[np.ndarray, "T H W 3"],
  frames: Float32[np.ndarray, "T H W 3"],
  guess: Guess,
  *,
  unseen: float = 1.0,
) -> Float32[np.ndarray, "T H W 1"]:
  """The weight of the network's frames in the result.

  Network and guess are compared on the same pixels, those under the copies. The network
  has learnt from the guess, so their errors are not independent: each is weighted by
  the inverse square of its expected squared error.

  Args:
    image: `[T, H, W, 3]` float32 RGB in [0, 1], the network's frames.
    frames: `[T, H, W, 3]` float32, the input, known under the copies.
    guess: from `make_guess`.
    unseen: factor from the network's squared error under the copies, which it has
      learnt, to that on pixels that it has not.

  Returns:
    `[T, H, W, 1]` float32 in [0, 1], 0 outside the hole.
  """
  copies = guess.copies
  under = tuple(copies.where.T)
  network_off = unseen * squared_error(image[under], frames[under])
  guess_off = squared_error(copies.frames, frames[under])
  of_guess, of_network = (
    fit_rising(copies.error, error, leave_out=LARGEST_LEFT_OUT)(guess.error)
    for error in (guess_off, network_off)
  )
  share = 1 - 1 / (1 + np.square(of_guess / of_network))
  return np.where(guess.error > 0, share, 0).astype(np.float32)


def _mix(share: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
  return share * one + (1 - share) * other
