"""Learning rate and optimiser: schedule, size of the state, decay, clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.pwcnet.network import make_network
from flow.training import make_learning_rate, make_optimizer


def test_the_rate_rises_and_falls_as_a_cosine():
  rate = make_learning_rate(1.0, updates=110, warm_up=10)
  assert [float(rate(step)) for step in (0, 5, 10, 60, 110)] == pytest.approx(
    [0, 0.5, 1, 0.5, 0], abs=1e-6
  )


def test_steps_halve_the_rate():
  rate = make_learning_rate(1.0, updates=60, warm_up=6, decay="steps")
  assert [float(rate(step)) for step in (3, 6, 19, 21, 31, 41, 51, 60)] == (
    pytest.approx([0.5, 1, 1, 0.5, 0.25, 0.125, 0.0625, 0.0625])
  )


def test_an_unknown_decay_is_refused():
  with pytest.raises(ValueError, match="cosine, steps"):
    make_learning_rate(1.0, updates=2, warm_up=0, decay="sudden")


def full_state():
  """Shapes of the published network's parameters and of the optimiser's state."""
  frame = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  params = jax.eval_shape(make_network("full").init, jax.random.key(0), frame, frame)
  optimizer = make_optimizer(make_learning_rate(1.0, updates=1, warm_up=0))
  return params, jax.eval_shape(optimizer.init, params)


def test_the_state_beside_the_parameters_is_half_their_size():
  params, opt_state = full_state()
  sizes = [
    sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
    for tree in (params, opt_state)
  ]
  assert sizes[0] == 4 * 9_374_274
  assert sizes[0] / 2 < sizes[1] < 0.55 * sizes[0]
  assert sum(sizes) < 60e6


PARAMS = {"kernel": jnp.full((3, 3, 32, 24), 0.5), "bias": jnp.full((24,), 0.5)}


def first_updates(grads, rate=0.1):
  optimizer = make_optimizer(lambda _: rate)
  return jax.jit(optimizer.update)(grads, optimizer.init(PARAMS), PARAMS)[0]


def test_kernels_decay_and_biases_do_not():
  updates = first_updates(jax.tree.map(jnp.zeros_like, PARAMS))
  np.testing.assert_allclose(updates["kernel"], -0.1 * 0.0004 * 0.5, rtol=1e-5)
  np.testing.assert_array_equal(updates["bias"], 0)


def test_the_size_of_the_gradient_does_not_matter():
  random = np.random.default_rng(0)
  grads = {name: jnp.float32(random.normal(size=x.shape)) for name, x in PARAMS.items()}
  small, large = (
    first_updates(jax.tree.map(lambda leaf, f=factor: f * leaf, grads))
    for factor in (1e2, 1e6)
  )
  for name, update in large.items():
    # A tenth of a clipped update enters the momentum, at the rate of a tenth.
    assert float(jnp.sqrt(jnp.mean(update**2))) <= 0.1 * 0.1 * 1.01
    np.testing.assert_allclose(small[name], update, rtol=0.02, atol=1e-5)
