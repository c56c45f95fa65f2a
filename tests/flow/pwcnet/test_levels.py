"""PWC-Net's pyramid of flows, its types and variants, as training needs them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.pwcnet.network import PWCNet, make_network
from flow.training import create_flow_state, make_optimizer
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.tiny_network import TINY


@pytest.fixture(scope="module")
def variables():
  network, optimizer = PWCNet(**TINY), make_optimizer(lambda _: 0.1)
  state = create_flow_state(jax.random.key(0), network=network, optimizer=optimizer)
  return {"params": state.params}


def pair_of(shape):
  return np.random.default_rng(0).random((2, *shape, 3)).astype(np.float32)


def test_levels_are_the_pyramid_behind_the_flow(variables):
  first, second = pair_of((1, 100, 70))
  network = PWCNet(**TINY)
  levels = jax.jit(lambda *x: network.apply(variables, *x, method="levels"))
  flows = levels(first, second)
  assert [flow.shape for flow in flows] == [
    (1, 128 >> level, 128 >> level, 2) for level in (6, 5, 4, 3, 2)
  ]
  finest = jax.image.resize(flows[-1], (1, 100, 70, 2), "bilinear", antialias=False)
  expected = 20 * finest * np.float32([70 / 128, 100 / 128])[None, None, None]
  flow = jax.jit(network.apply)(variables, first, second)
  assert np.abs(expected).max() > 0.01
  np.testing.assert_allclose(flow, expected, atol=1e-4)


def test_bfloat16_rounds_features_and_not_flow(variables):
  pair = pair_of((1, 64, 64))
  exact, rounded = (
    jax.jit(PWCNet(**TINY, dtype=dtype).apply)(variables, *pair)
    for dtype in (None, jnp.bfloat16)
  )
  assert rounded.dtype == exact.dtype == np.float32
  difference = np.abs(rounded - exact).mean()
  assert 0 < difference < 0.1 * np.abs(exact).mean()
  # bfloat16 has 8 bits; flow that went through it would have no more.
  assert (np.asarray(rounded.astype(jnp.bfloat16), np.float32) != rounded).mean() > 0.9


def test_the_small_variant_has_its_documented_number_of_parameters():
  frame = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  variables = jax.eval_shape(
    make_network("small").init, jax.random.key(0), frame, frame
  )
  assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 2_649_918
