"""What the clip says of its hole without a network, and how well it is known."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int

from dipvid_jax.propagation.alternation import STEPS, Propagated, propagate
from dipvid_jax.propagation.copies import hole_depth, place_copies
from dipvid_jax.propagation.mixing import (
  learn_errors,
  learn_mixture,
  mix,
  squared_error,
)
from dipvid_jax.propagation.steady import fill_steadily
from dipvid_jax.propagation.telea import telea
from flow import PairFlow

_LONG = 40  # frames whose copies are enough in one pass over the clip; else two
_COPIES = 3  # of the hole in each pass
_LARGEST_SCORE = 50.0  # whose exponential is finite
_BLUR = 1.0  # pixels: what is in doubt is better blurred


def _passes(frame_count: int) -> int:
  """Propagations under copies of the hole, other copies in each."""
  return 1 if frame_count >= _LONG else 2


def guess_steps(frame_count: int) -> int:
  """How often `make_guess` calls `on_progress` on a clip of T frames."""
  return (1 + _passes(frame_count)) * STEPS


class Pixels(NamedTuple):
  """Hidden pixels with what is guessed of them.

  Attributes:
    where: `[P, 3]` int, frame, row and column.
    layers: `[3, P, 3]` float32 RGB: carried, carried and blurred, filled.
    score: `[P]` float, the expected error of the carried pixel over that of the filled
      one, as a logarithm; infinite where none was carried.
    weights: `[3, P]` float, of the layers in the mixture.
    place: `[P]` int, of which copy of the hole, from 1; 1 in the hole itself.
  """

  where: Int[np.ndarray, "P 3"]
  layers: Float[np.ndarray, "K P 3"]
  score: Float[np.ndarray, " P"]
  weights: Float[np.ndarray, "K P"]
  place: Int[np.ndarray, " P"]

  @property
  def colours(self) -> Float32[np.ndarray, "P 3"]:
    """The mixture of the layers."""
    return mix(self.weights, self.layers)


class Guess(NamedTuple):
  """What is known or guessed of every pixel without a network, and how well.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]: the input outside the hole, in the
      hole the mixture of carried and filled pixels that proved best under copies.
    target: `[T, H, W, 3]` float32: what the network learns: the input, carried pixels
      in the hole and under the proof's copies.
    trust: `[T, H, W, 1]` float32 in [0, 1], how far the network learns them: 1 for the
      input; else how much better carried pixels proved than filled ones.
    hole: the hole's pixels.
    proof: pixels under copies of the hole, which the network learns as in the hole.
    carried: the propagation into the hole.
  """

  frames: np.ndarray
  target: np.ndarray
  trust: np.ndarray
  hole: Pixels
  proof: Pixels
  carried: Propagated

  @property
  def carried_share(self) -> Float32[np.ndarray, "T H W 1"]:
    """The carried pixels' weight in `frames`: `[T, H, W, 1]`, 0 outside the hole."""
    share = np.zeros(self.trust.shape, np.float32)
    share[(*self.hole.where.T, 0)] = self.hole.weights[0]
    return share

  @property
  def uncarried(self) -> float:
    """The share of the hole's pixels that nothing was carried to; 0 without a hole."""
    alone = np.isinf(self.hole.score)
    return float(alone.mean()) if len(alone) else 0.0


class _Pass(NamedTuple):
  """One propagation: into the hole, or into copies of it; P pixels were filled.

  Attributes:
    done: its result.
    places: `[T, H, W]` int, above 0 at the pixels that it filled.
    arrived: `[P]` bool, where something was carried to.
    evidence: `[P, F]`, that of the propagation, and the depth in the hole.
    layers: `[3, P, 3]`, see `Pixels`.
  """

  done: Propagated
  places: np.ndarray
  arrived: np.ndarray
  evidence: np.ndarray
  layers: np.ndarray


def make_guess(
  filled: Float32[np.ndarray, "T H W 3"],
  hole_masks: Float32[np.ndarray, "T H W 1"],
  pairs: PairFlow,
  *,
  generator: np.random.Generator,
  also_hidden: Float32[np.ndarray, "T H W 1"] | None = None,
  on_progress: Callable[[int], None] = lambda _: None,
) -> Guess:
  """Carries known pixels into the hole and weighs them by what copies of it proved.

  Args:
    filled: `[T, H, W, 3]` float32 RGB in [0, 1], the hole filled by `telea`.
    hole_masks: `[T, H, W, 1]` float32, above 0 = hole.
    pairs: flow of `filled` at stride 1, as it was estimated.
    generator: draws where the copies of the hole lie.
    also_hidden: `[T, H, W, 1]` float32, above 0 where nothing is carried from or to.
    on_progress: called with 1 after each of `guess_steps(T)` steps.

  Returns:
    The guess.
  """
  hole = hole_masks[..., 0] > 0
  unseen = hole if also_hidden is None else hole | (also_hidden[..., 0] > 0)
  real = _fill(filled, unseen, hole.astype(int), pairs, on_progress)
  proofs = []
  for _ in range(_passes(len(filled))):
    copies = place_copies(hole, count=_COPIES, generator=generator)
    copies[unseen] = 0
    masks = (copies > 0)[..., None].astype(np.float32)
    shown = telea(real.done.frames, masks)
    proofs.append(_fill(shown, unseen | (copies > 0), copies, pairs, on_progress))
  evidence = np.concatenate([proof.evidence for proof in proofs])
  layers = np.concatenate([proof.layers for proof in proofs], axis=1)
  arrived = np.concatenate([proof.arrived for proof in proofs])
  truth = np.concatenate([filled[proof.places > 0] for proof in proofs])
  of_carried, of_filled = (
    learn_errors(evidence[arrived], squared_error(layers[k], truth)[arrived])
    for k in (0, -1)
  )

  def score(one: _Pass) -> np.ndarray:
    ratio = np.log(of_carried(one.evidence) / of_filled(one.evidence))
    return np.where(one.arrived, ratio, np.inf)

  scores = np.concatenate([score(proof) for proof in proofs])
  mixture = learn_mixture(scores[arrived], layers[:, arrived], truth[arrived])

  def pixels(one: _Pass) -> Pixels:
    inside, at = one.places > 0, score(one)
    where = np.argwhere(inside)
    return Pixels(where, one.layers, at, mixture(at), one.places[inside])

  inside, proof = pixels(real), pixels(proofs[0])
  frames, target = filled.copy(), filled.copy()
  frames[hole] = inside.colours
  trust = np.ones(hole_masks.shape, np.float32)
  for each in (inside, proof):
    at = tuple(each.where.T)
    target[at] = each.layers[0]
    trust[(*at, 0)] = 1 / (1 + np.exp(2 * np.minimum(each.score, _LARGEST_SCORE)))
  return Guess(frames, target, trust, inside, proof, real.done)


def _fill(
  filled: np.ndarray,
  hidden: np.ndarray,
  places: np.ndarray,
  pairs: PairFlow,
  on_progress: Callable[[int], None],
) -> _Pass:
  inside = places > 0
  done = propagate(
    filled,
    hidden[..., None].astype(np.float32),
    pairs,
    wanted=inside,
    on_progress=on_progress,
  )
  alone = inside & ~done.arrived
  steady = fill_steadily(done.frames, alone, hidden, done.pairs)
  done = done._replace(frames=steady)
  filled = np.where(alone[..., None], steady, filled)
  depth = np.log(1 + hole_depth(hidden)[inside])
  evidence = np.concatenate([done.evidence, depth[:, None]], axis=-1)
  blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), _BLUR) for frame in done.frames])
  layers = np.stack([layer[inside] for layer in (done.frames, blurred, filled)])
  return _Pass(done, places, done.arrived[inside], evidence, layers)
