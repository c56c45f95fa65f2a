"""Where the first state is drawn makes no difference to it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.training import initial_state
from dipvid_jax.training.initial_state import create_train_state, make_create_state

MODEL = nn.Conv(4, (3, 3))
# Its state has a key, which is no array of numbers.
OPTIMIZER = optax.chain(optax.add_noise(0.1, 0.5, key=3), optax.adam(0.01))
KEY, SAMPLE = jax.random.key(5), jnp.zeros((1, 8, 16, 1))


def created():
  """The state by both functions."""
  alone = create_train_state(KEY, model=MODEL, optimizer=OPTIMIZER, sample=SAMPLE)
  return alone, make_create_state(MODEL, OPTIMIZER)(KEY, SAMPLE)


@pytest.fixture
def host(monkeypatch):
  """A CPU beside the device, which it is here; returns what it was given to draw."""
  draws = []
  device_put = jax.device_put

  def counted(tree, *to):
    draws.extend(to)
    return device_put(tree, *to)

  monkeypatch.setattr(initial_state, "_host", lambda: jax.devices()[0])
  monkeypatch.setattr(jax, "device_put", counted)
  return draws


def numbers(state):
  """All arrays of a state, keys as numbers."""
  return [
    np.asarray(
      jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    )
    for x in jax.tree.leaves(state)
  ]


def test_the_host_draws_the_same_state(request):
  plain = created()
  draws = request.getfixturevalue("host")
  drawn = created()
  assert draws == [jax.devices()[0]] * 2
  for ours, theirs in zip(drawn, plain, strict=True):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for array, expected in zip(numbers(ours), numbers(theirs), strict=True):
      np.testing.assert_array_equal(array, expected)
      assert array.dtype == expected.dtype


def test_a_drawn_state_is_bound_to_no_device(host):
  """One that is would be compiled for again, beside what was compiled before."""
  assert not any(x.committed for state in created() for x in jax.tree.leaves(state))


def test_the_shape_of_a_state_is_known_without_drawing_it(host):
  shapes = jax.eval_shape(make_create_state(MODEL, OPTIMIZER), KEY, SAMPLE)
  assert not host
  state = created()[0]
  assert jax.tree.structure(shapes) == jax.tree.structure(state)
  for shape, array in zip(*map(jax.tree.leaves, (shapes, state)), strict=True):
    assert (shape.shape, shape.dtype) == (array.shape, array.dtype)


def test_several_states_are_drawn_at_a_time(host):
  keys = jax.random.split(KEY, 2)

  def create(key):
    optimizer = optax.adam(0.01)
    return create_train_state(key, model=MODEL, optimizer=optimizer, sample=SAMPLE)

  several = numbers(jax.vmap(create)(keys))
  assert not host
  for both, second in zip(several, numbers(create(keys[1])), strict=True):
    np.testing.assert_allclose(both[1], second, rtol=1e-6, atol=1e-7)
