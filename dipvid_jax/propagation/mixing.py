"""How several fillings of one pixel are mixed, learnt where the truth is known.

Each filling is a layer. Pixels are ordered by a score; in each group of equal size
along the score, the mixture of layers is taken that comes closest to the truth. The
weights are at least 0 and add up to 1 (Breiman, Stacked Regressions, 1996).
"""

import itertools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

# Of each group: a copy also hides what moves by itself or is uncovered nowhere, and a
# few pixels far off would decide for all.
_LEFT_OUT = 0.2
_GROUPS = 10
_FEWEST = 8  # pixels of a group
_WORTH_IT = 0.99  # of the squared error
_RIDGE = 1e-2
_DARKEST = 1e-4  # added to squared errors before their logarithm

# From scores `[P]` to weights `[K, P]`.
Mixture = Callable[[np.ndarray], np.ndarray]
# From evidence `[P, F]` to expected squared errors `[P]`.
ErrorModel = Callable[[np.ndarray], np.ndarray]


def learn_mixture(
  score: Float[np.ndarray, " P"],
  layers: Float[np.ndarray, "K P 3"],
  truth: Float[np.ndarray, "P 3"],
) -> Mixture:
  """Learns the weights of layers along a score.

  Args:
    score: `[P]`.
    layers: `[K, P, 3]` colours.
    truth: `[P, 3]`.

  Returns:
    A function of scores to weights `[K, P]`, linear between the groups; without any
    pixels, all weight is on the last layer.
  """
  if not len(score):
    last = np.eye(len(layers))[-1]
    return lambda at: np.repeat(last[:, None], len(at), axis=1)
  order = np.argsort(score, kind="stable")
  groups = np.array_split(order, min(_GROUPS, max(1, len(order) // _FEWEST)))
  centres = np.array([score[group].mean() for group in groups])
  weights = np.stack(
    [_best_weights(*_kept(layers[:, g], truth[g])) for g in groups], axis=1
  )
  return lambda at: np.stack([np.interp(at, centres, each) for each in weights])


def mix(weights: np.ndarray, layers: np.ndarray) -> np.ndarray:
  """`[P, 3]` from weights `[K, P]` and layers `[K, P, 3]`."""
  return np.einsum("kp,kpc->pc", weights, layers).astype(np.float32)


def squared_error(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
  """The mean over the channels of the squared difference, `[..]` of `[.., 3]`."""
  return np.mean(np.square(frames - truth), axis=-1)


def improves_everywhere(
  score: Float[np.ndarray, " P"],
  layers: Float[np.ndarray, "2 P 3"],
  truth: Float[np.ndarray, "P 3"],
  group: Int[np.ndarray, " P"],
) -> bool:
  """Whether the second layer helps the first wherever its weight is not learnt.

  The weight is learnt on all groups but one and tried on that one, for each group.

  Args:
    score, layers, truth: as `learn_mixture`.
    group: `[P]`, which place a pixel belongs to.

  Returns:
    True if the squared error falls by more than 1% in every group, of at least two.
  """
  groups = np.unique(group)
  if len(groups) < 2:
    return False
  for tried in groups:
    here, others = group == tried, group != tried
    mixture = learn_mixture(score[others], layers[:, others], truth[others])
    mixed = mix(mixture(score[here]), layers[:, here])
    before = squared_error(layers[0, here], truth[here]).mean()
    if squared_error(mixed, truth[here]).mean() > _WORTH_IT * before:
      return False
  return True


def _kept(layers: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """A group without the pixels that no layer comes close to."""
  nearest = squared_error(layers, truth).min(axis=0)
  count = max(_FEWEST, round((1 - _LEFT_OUT) * len(truth)))
  kept = np.argsort(nearest, kind="stable")[:count]
  return layers[:, kept], truth[kept]


def _best_weights(layers: np.ndarray, truth: np.ndarray) -> np.ndarray:
  """`[K]`: the mixture of least squared error, over all subsets of layers."""
  count = len(layers)
  off = (layers - truth).reshape(count, -1).astype(float)
  products = off @ off.T
  products += 1e-9 * (1e-9 + np.trace(products)) * np.eye(count)
  best, least = np.zeros(count), np.inf
  for size in range(1, count + 1):
    for subset in itertools.combinations(range(count), size):
      part = products[np.ix_(subset, subset)]
      weights = np.linalg.solve(part, np.ones(size))
      weights /= weights.sum()
      error = weights @ part @ weights
      if (weights >= 0).all() and error < least:
        best, least = np.zeros(count), error
        best[list(subset)] = weights
  return best


def learn_errors(
  evidence: Float[np.ndarray, "P F"], error: Float[np.ndarray, " P"]
) -> ErrorModel:
  """Learns the squared error to expect from evidence: its logarithm is linear.

  Args:
    evidence: `[P, F]`.
    error: `[P]` squared errors.

  Returns:
    A function of evidence to expected errors, in the geometric mean.
  """
  if not len(error):
    return lambda at: np.ones(len(at))
  mean, spread = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6

  def design(evidence: np.ndarray) -> np.ndarray:
    scaled = (evidence.astype(float) - mean) / spread
    return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)

  x = design(evidence)
  penalty = _RIDGE * len(x) * np.eye(x.shape[1])
  penalty[-1, -1] = 0
  weights = np.linalg.solve(x.T @ x + penalty, x.T @ np.log(error + _DARKEST))
  return lambda at: np.exp(design(at) @ weights)
