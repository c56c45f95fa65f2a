"""Updates: they learn, in a loop and in a scan alike; evaluation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.procedural import FlowPair
from flow.pwcnet.correlation import cost_volume
from flow.pwcnet.network import PWCNet, _Encoder, make_network
from flow.training import (
  create_flow_state,
  evaluate_flow,
  evaluation_pairs,
  make_fit_flow,
  make_optimizer,
)
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import texture
from tests.support.tiny_network import TINY, LevelsOnly


def draw(key):
  """Pairs whose flow is how far the second frame is brighter, in units of 20 pixels."""
  flow_key, frame_key = jax.random.split(key)
  flow = jax.random.normal(flow_key, (2, 1, 1, 2)) * jnp.ones((1, 64, 64, 1))
  first = jax.random.uniform(frame_key, (2, 64, 64, 3))
  change = jnp.concatenate([flow, flow[..., :1]], axis=-1)
  return FlowPair(first, first + change, 20 * flow, jnp.ones((2, 64, 64, 1)))


OPTIMIZER = make_optimizer(lambda _: 0.02)
KEY = jax.random.key(7)


def new_state():
  return create_flow_state(jax.random.key(0), network=LevelsOnly(), optimizer=OPTIMIZER)


@pytest.fixture(scope="module")
def fit():
  return make_fit_flow(LevelsOnly(), OPTIMIZER, draw=draw, robust_from=150)


def test_updates_learn_and_the_robust_loss_takes_over(fit):
  state, metrics = fit(new_state(), KEY, updates=200)
  assert int(state.step) == 200
  assert {values.shape for values in metrics.values()} == {(200,)}
  error = np.asarray(metrics["end_point_error"])
  assert error[:5].mean() > 10 and error[140:150].mean() < 0.4 * error[:5].mean()
  loss = np.asarray(metrics["loss"])
  assert loss[150:].mean() > 1.3 * loss[140:150].mean()  # another measure from 150 on


def test_every_update_draws_other_pairs_and_a_repetition_the_same(fit):
  _, metrics = fit(new_state(), KEY, updates=3)
  _, again = fit(new_state(), KEY, updates=3)
  _, other = fit(new_state(), jax.random.key(8), updates=3)
  assert len(set(np.asarray(metrics["loss"]).tolist())) == 3
  np.testing.assert_array_equal(metrics["loss"], again["loss"])
  assert not np.array_equal(metrics["loss"], other["loss"])


def test_two_calls_are_one(fit):
  whole, _ = fit(new_state(), KEY, updates=4)
  half, _ = fit(new_state(), KEY, updates=2)
  two_halves, _ = fit(half, KEY, updates=2)
  jax.tree.map(np.testing.assert_array_equal, whole, two_halves)


def test_the_scan_of_accelerators_does_the_same(fit, monkeypatch):
  monkeypatch.setattr("jax.default_backend", lambda: "gpu")
  scan = make_fit_flow(LevelsOnly(), OPTIMIZER, draw=draw, robust_from=150)
  monkeypatch.undo()
  state, metrics = scan(new_state(), KEY, updates=3)
  expected, expected_metrics = fit(new_state(), KEY, updates=3)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      np.float32(a), np.float32(b), rtol=1e-3, atol=1e-5
    ),
    (state, metrics),
    (expected, expected_metrics),
  )


def test_first_weights_keep_the_size_of_features_and_begin_near_no_flow():
  class Parts(nn.Module):
    @nn.compact
    def __call__(self, first, second):
      wide = nn.Conv(64, (3, 3), name="dense")(first)
      return nn.Conv(2, (3, 3), name="flow")(wide) + second[..., :2]

  params = create_flow_state(KEY, network=Parts(), optimizer=OPTIMIZER).params
  assert float(jnp.abs(params["dense"]["bias"]).max()) == 0
  for name, inputs, factor in (("dense", 3, 1), ("flow", 64, 0.1)):
    expected = factor * (2 / (9 * inputs)) ** 0.5
    assert float(params[name]["kernel"].std()) == pytest.approx(expected, rel=0.1)


def test_evaluation_pairs_are_the_same_at_every_call_and_differ_by_family():
  asked = []

  def draw_few(key, *, batch_size, family):
    asked.append((batch_size, family))
    pair = draw(key)
    return jax.tree.map(lambda field: field[:batch_size], pair)

  pairs = evaluation_pairs(draw_few, family="held_out", count=3)
  again = evaluation_pairs(draw_few, family="held_out", count=3)
  assert set(asked) == {(1, "held_out")}
  assert pairs.flow.shape == (3, 64, 64, 2) and isinstance(pairs.flow, np.ndarray)
  jax.tree.map(np.testing.assert_array_equal, pairs, again)
  assert np.abs(pairs.first[0] - pairs.first[1]).mean() > 0.1


def test_evaluation_tells_all_pixels_from_the_visible_ones():
  flow = np.zeros((3, 4, 6, 2), np.float32)
  flow[..., 0] = 3
  visible = np.ones((3, 4, 6, 1), np.float32)
  visible[:, :, :3] = 0
  frames = np.zeros((3, 4, 6, 3), np.float32)
  sizes = []

  def estimate(first, second):
    sizes.append(len(first))
    estimated = np.zeros((len(first), 4, 6, 2), np.float32)
    estimated[:, :, :3, 0], estimated[..., 1] = 3, 4
    return estimated

  errors = evaluate_flow(
    estimate, FlowPair(frames, frames, flow, visible), batch_size=2
  )
  assert sizes == [2, 1]
  assert errors == pytest.approx({"all": (4 + 5) / 2, "visible": 5})


def test_first_weights_match_a_moved_texture():
  # Without the encoder's own first values it is one pixel in twenty.
  network = make_network("small")
  params = create_flow_state(KEY, network=network, optimizer=OPTIMIZER).params
  frame = jnp.asarray(texture(64, 96)[None])
  moved = jnp.roll(frame, 8, axis=2)
  encode = jax.jit(_Encoder(network.encoder_channels).apply)
  first, second = (encode({"params": params["encoder"]}, x)[1] for x in (frame, moved))
  costs = np.asarray(jax.jit(cost_volume)(first, second))[:, 2:-2, 5:-5]
  true = 4 * 9 + 4 + 2  # 8 pixels are 2 at level 2
  assert (costs.argmax(axis=-1) == true).mean() > 0.5


def test_an_update_of_pwc_net_moves_every_kernel():
  network = PWCNet(**TINY, precision=None)
  state = create_flow_state(KEY, network=network, optimizer=OPTIMIZER)
  before = jax.tree.map(np.asarray, state.params)
  fit_network = make_fit_flow(network, OPTIMIZER, draw=draw, robust_from=0)
  state, metrics = fit_network(state, KEY, updates=1)
  assert all(np.isfinite(values).all() for values in metrics.values())
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), state.params, before)
  for path, distance in jax.tree.leaves_with_path(moved):
    assert path[-1].key == "bias" or 0 < distance < 0.1
