"""Mixtures of several fillings, learnt where the truth is known."""

import numpy as np
import pytest

from dipvid_jax.propagation.mixing import (
  improves_everywhere,
  learn_errors,
  learn_mixture,
)

_P = 4000


def _layers(sigma_at, *, seed=0):
  """Two layers: one whose error rises with the score, one of constant error 0.1."""
  generator = np.random.default_rng(seed)
  score, truth = np.linspace(0, 1, _P), generator.random((_P, 3))
  noise = generator.normal(size=(2, _P, 3))
  sigma = np.stack([sigma_at(score), np.full(_P, 0.1)])
  return score, truth + sigma[..., None] * noise, truth


def test_independent_layers_are_weighed_by_their_inverse_variances():
  score, layers, truth = _layers(lambda x: 0.05 + 0.15 * x)
  mixture = learn_mixture(score, layers, truth)
  at = np.array([0.1, 0.5, 0.9])
  variance = (0.05 + 0.15 * at) ** 2
  weights = mixture(at)
  np.testing.assert_allclose(weights[0], 0.01 / (0.01 + variance), atol=0.12)
  np.testing.assert_allclose(weights.sum(axis=0), 1)


def test_a_layer_that_only_adds_error_has_no_weight():
  score, layers, truth = _layers(lambda x: 0 * x + 0.01)
  worse = np.stack([layers[0], layers[0] + 0.3])
  weights = learn_mixture(score, worse, truth)(score)
  np.testing.assert_allclose(weights[1], 0, atol=0.01)


def test_the_best_of_a_grid_is_not_better():
  generator = np.random.default_rng(1)
  truth = generator.random((60, 3))
  layers = truth + generator.normal(size=(3, 60, 3)) * [[[0.1]], [[0.2]], [[0.3]]]
  layers[2] += 0.5 * (layers[0] - truth)  # errors that go together
  kept = np.argsort(np.square(layers - truth).mean(-1).min(0), kind="stable")[:48]
  weights = learn_mixture(np.zeros(60), layers, truth)(np.zeros(1))[:, 0]

  def error(w):
    mixed = np.einsum("k,kpc->pc", w, layers[:, kept])
    return np.square(mixed - truth[kept]).mean()

  grid = np.linspace(0, 1, 21)
  others = [
    error(np.array([a, b, 1 - a - b])) for a in grid for b in grid if a + b <= 1 + 1e-9
  ]
  # Six groups of the same score were learnt apart: their mean is close to the best.
  assert error(weights) < 1.1 * min(others)


def test_without_pixels_the_last_layer_counts():
  nothing = np.zeros((0, 3))
  mixture = learn_mixture(np.zeros(0), np.zeros((3, 0, 3)), nothing)
  np.testing.assert_array_equal(mixture(np.zeros(2)), [[0, 0], [0, 0], [1, 1]])


def test_errors_are_learnt_from_evidence():
  generator = np.random.default_rng(0)
  evidence = generator.normal(size=(_P, 3))
  error = np.exp(evidence @ [1, 0, -0.5] - 3 + 0.1 * generator.normal(size=_P))
  model = learn_errors(evidence, error)
  ratio = np.log(model(evidence) / error)
  assert abs(ratio.mean()) < 0.05 and ratio.std() < 0.3
  np.testing.assert_array_equal(learn_errors(evidence[:0], error[:0])(evidence), 1)


@pytest.mark.parametrize(
  ("helps", "expected"), [((1, 1, 1), True), ((1, 1, 0), False), ((0, 0, 0), False)]
)
def test_a_layer_must_help_in_every_place(helps, expected):
  generator = np.random.default_rng(0)
  place = np.repeat([1, 2, 3], 400)
  truth = generator.random((1200, 3))
  first = truth + 0.1 * generator.normal(size=truth.shape)
  good = np.array(helps)[place - 1][:, None]
  off = np.where(good > 0, 0.1, 0.6) * generator.normal(size=truth.shape)
  layers = np.stack([first, truth + off])
  assert improves_everywhere(np.zeros(1200), layers, truth, place) is expected
  assert not improves_everywhere(np.zeros(1200), layers, truth, np.ones(1200, int))
