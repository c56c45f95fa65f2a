"""The multi-scale losses against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.training.losses import downscale_flow, multiscale_loss
from tests.support.oracles import in_float64

WEIGHTS = {6: 0.32, 5: 0.08, 4: 0.02, 3: 0.01, 2: 0.005}
RANDOM = np.random.default_rng(0)
FLOW = RANDOM.normal(scale=10, size=(2, 64, 128, 2))
FLOWS = [RANDOM.normal(size=(2, 64 >> level, 128 >> level, 2)) for level in WEIGHTS]


def slow_loss(flows, flow, *, robust):
  """Equations 1 and 2 of the paper, a pixel after another."""
  total = 0.0
  for (level, weight), estimate in zip(WEIGHTS.items(), flows, strict=True):
    side = 2**level
    for b, y, x in np.ndindex(estimate.shape[:3]):
      block = flow[b, side * y : side * (y + 1), side * x : side * (x + 1)]
      dx, dy = estimate[b, y, x] - block.mean(axis=(0, 1)) / 20
      distance = (abs(dx) + abs(dy) + 0.01) ** 0.4 if robust else np.hypot(dx, dy)
      total += weight * distance
  return total / len(flow)


@pytest.mark.parametrize("robust", [False, True])
def test_the_loss_is_the_papers(robust):
  value = in_float64(
    lambda flow, *flows: multiscale_loss(flows, flow, robust=robust), FLOW, *FLOWS
  )
  assert value == pytest.approx(slow_loss(FLOWS, FLOW, robust=robust), rel=1e-9)


@jax.jit
def value_and_gradient(flows, flow, robust):
  return jax.value_and_grad(lambda flows: multiscale_loss(flows, flow, robust=robust))(
    flows
  )


def test_the_truth_itself_has_no_loss_and_a_finite_gradient():
  flow = jnp.float32(FLOW)
  truth = [
    jax.jit(downscale_flow, static_argnames="level")(flow, level=level)
    for level in WEIGHTS
  ]
  value, gradient = value_and_gradient(truth, flow, False)
  assert 0 <= value < 1e-3
  _, robust_gradient = value_and_gradient(truth, flow, True)
  assert all(np.isfinite(leaf).all() for leaf in (*gradient, *robust_gradient))


def test_far_errors_count_less_in_the_robust_loss():
  still = jnp.zeros((2, 64, 128, 2))

  def loss(error, robust):
    flows = [jnp.full((2, 64 >> level, 128 >> level, 2), error) for level in WEIGHTS]
    return float(value_and_gradient(flows, still, robust)[0])

  assert loss(4.0, False) == pytest.approx(4 * loss(1.0, False), rel=1e-5)
  assert loss(4.0, True) < 2 * loss(1.0, True)


def test_other_sizes_are_refused():
  with pytest.raises(ValueError, match="level 6"):
    multiscale_loss(
      [jnp.zeros((2, 2, 2, 2)), *FLOWS[1:]], jnp.asarray(FLOW), robust=True
    )
