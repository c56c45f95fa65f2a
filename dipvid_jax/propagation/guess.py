"""What the clip says of its hole without a network, and how well it is known."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int

from dipvid_jax.propagation.alternation import STEPS, Propagated, propagate
from dipvid_jax.propagation.copies import hole_depth, place_copies
from dipvid_jax.propagation.mixing import learn_errors, learn_mixture
from dipvid_jax.propagation.telea import telea
from flow import PairFlow

_PASSES = 2  # over the clip with other copies
_COPIES = 3  # of the hole in each pass
_LARGEST_SCORE = 50.0  # whose exponential is finite
_BLUR = 1.0  # pixels: what is in doubt is better blurred
GUESS_STEPS = (1 + _PASSES) * STEPS


class Pixels(NamedTuple):
  """Hidden pixels with what is guessed of them.

  Attributes:
    where: `[P, 3]` int, frame, row and column.
    layers: `[3, P, 3]` float32 RGB: carried, carried and blurred, filled.
    score: `[P]` float, the expected error of the carried pixel over that of the filled
      one, as a logarithm; infinite where none was carried.
    weights: `[3, P]` float, of the layers in the mixture.
    place: `[P]` int, of which copy of the hole; 0 in the hole itself.
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


class _Pass(NamedTuple):
  """One propagation: into the hole, or into copies of it.

  Attributes:
    done: its result.
    filled: `[T, H, W, 3]`, what it began with.
    hidden: `[T, H, W]` bool, the pixels that it could not see.
    places: `[T, H, W]` int, above 0 at those that it filled.
  """

  done: Propagated
  filled: np.ndarray
  hidden: np.ndarray
  places: np.ndarray


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
    on_progress: called with 1 after each of `GUESS_STEPS` steps.

  Returns:
    The guess.
  """
  hole = hole_masks[..., 0] > 0
  unseen = hole if also_hidden is None else hole | (also_hidden[..., 0] > 0)
  real = _fill(filled, unseen, hole.astype(int), pairs, on_progress)
  proofs = []
  for _ in range(_PASSES):
    copies = place_copies(hole, count=_COPIES, generator=generator)
    copies[unseen] = 0
    masks = (copies > 0)[..., None].astype(np.float32)
    shown = telea(real.done.frames, masks)
    proofs.append(_fill(shown, unseen | (copies > 0), copies, pairs, on_progress))
  evidence = np.concatenate([_evidence(proof) for proof in proofs])
  layers = np.concatenate([_layers(proof) for proof in proofs], axis=1)
  arrived = np.concatenate([proof.done.arrived[proof.places > 0] for proof in proofs])
  truth = np.concatenate([filled[proof.places > 0] for proof in proofs])
  of_carried, of_filled = (
    learn_errors(evidence[arrived], squared_error(layers[k], truth)[arrived])
    for k in (0, -1)
  )

  def score(one: _Pass) -> np.ndarray:
    facts = _evidence(one)
    ratio = np.log(of_carried(facts) / of_filled(facts))
    return np.where(one.done.arrived[one.places > 0], ratio, np.inf)

  scores = np.concatenate([score(proof) for proof in proofs])
  mixture = learn_mixture(scores[arrived], layers[:, arrived], truth[arrived])

  def pixels(one: _Pass) -> Pixels:
    inside, at = one.places > 0, score(one)
    return Pixels(
      np.argwhere(inside), _layers(one), at, mixture(at), one.places[inside]
    )

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
  done = propagate(
    filled,
    hidden[..., None].astype(np.float32),
    pairs,
    wanted=places > 0,
    on_progress=on_progress,
  )
  return _Pass(done, filled, hidden, places)


def mix(weights: np.ndarray, layers: np.ndarray) -> np.ndarray:
  """`[P, 3]` from weights `[K, P]` and layers `[K, P, 3]`."""
  return np.einsum("kp,kpc->pc", weights, layers).astype(np.float32)


def squared_error(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
  """The mean over the channels of the squared difference, `[..]` of `[.., 3]`."""
  return np.mean(np.square(frames - truth), axis=-1)


def _layers(one: _Pass) -> Float[np.ndarray, "K P 3"]:
  frames = one.done.frames
  blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), _BLUR) for frame in frames])
  return np.stack([layer[one.places > 0] for layer in (frames, blurred, one.filled)])


def _evidence(one: _Pass) -> np.ndarray:
  """`[P, F]`: that of the propagation, and the depth in the hole."""
  depth = np.log(1 + hole_depth(one.hidden)[one.places > 0])
  return np.concatenate([one.done.evidence, depth[:, None]], axis=-1)
