"""Adam and its learning rate over the run."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.training.optimization import make_optimizer


def steps(optimizer, *, updates):
  """The steps for a constant gradient: each is its update's learning rate."""
  params, gradient = jnp.zeros(()), jnp.ones(())
  state, sizes = optimizer.init(params), []
  for _ in range(updates):
    change, state = optimizer.update(gradient, state, params)
    sizes.append(-float(change))
  return sizes


def test_a_constant_rate_stays():
  rates = steps(make_optimizer(0.01, updates=5), updates=5)
  np.testing.assert_allclose(rates, 0.01, rtol=1e-4)


@pytest.mark.parametrize("updates", [4, 10])
def test_a_cosine_falls_from_the_first_update_to_nothing(updates):
  optimizer = make_optimizer(0.01, updates=updates, schedule="cosine")
  rates = steps(optimizer, updates=updates + 1)
  expected = 0.005 * (1 + np.cos(np.pi * np.arange(updates + 1) / updates))
  np.testing.assert_allclose(rates, expected, rtol=1e-4, atol=1e-9)


def test_a_constant_rate_is_plain_adam():
  """Also in the structure of its state, which is in every checkpoint."""
  params = {"a": jnp.zeros(3)}
  ours, adam = make_optimizer(0.01, updates=5).init(params), optax.adam(0.01)
  assert jax.tree.structure(ours) == jax.tree.structure(adam.init(params))
