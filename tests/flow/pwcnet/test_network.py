"""PWC-Net against the PyTorch rendering: goldens always, live where it is installed."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.pytorch import pwc_names
from flow.pwcnet.checkpoints import pwcnet_variables
from flow.pwcnet.correlation import cost_volume
from flow.pwcnet.network import DECODER_CHANNELS, PWCNet, _Decoder
from tests.goldens import make_pwc_net

TOLERANCE = 1e-3  # pixels
GOLDEN_SHAPES = [tuple(shape) for shape in make_pwc_net.SETTINGS["shapes"]]
# Batch of three in one padded size; then one frame that is resized on both sides.
LIVE_SHAPES = [*GOLDEN_SHAPES, (3, 33, 190)]


@pytest.fixture(scope="module")
def weights():
  return pwc_names.random_weights(make_pwc_net.SETTINGS["weights_seed"])


@pytest.fixture(scope="module")
def estimate(weights):
  """The jitted network with the random weights; compiles once for each shape."""
  variables = pwcnet_variables(weights, source="random weights")
  apply = jax.jit(PWCNet().apply)
  return lambda first, second: np.asarray(apply(variables, first, second))


@pytest.fixture(scope="module")
def golden():
  with np.load(make_pwc_net.PATH) as file:
    return json.loads(str(file["provenance"])), dict(file)


def pair_of(shape):
  return pwc_names.random_pair(make_pwc_net.SETTINGS["frames_seed"], *shape)


def test_has_the_published_number_of_parameters():
  frame = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  variables = jax.eval_shape(PWCNet().init, jax.random.key(0), frame, frame)
  leaves = jax.tree.leaves(variables)
  assert set(variables) == {"params"}
  assert len(leaves) == 126 and sum(leaf.size for leaf in leaves) == 9_374_274
  assert all(leaf.dtype == jnp.float32 for leaf in leaves)


def test_the_golden_input_can_still_be_made(weights, golden):
  provenance, _ = golden
  assert all(provenance[key] == value for key, value in make_pwc_net.SETTINGS.items())
  assert make_pwc_net.checksum(*weights.values()) == provenance["weights_checksum"]
  for shape, expected in zip(
    GOLDEN_SHAPES, provenance["frames_checksums"], strict=True
  ):
    assert make_pwc_net.checksum(*pair_of(shape)) == expected


@pytest.mark.parametrize("index", range(len(GOLDEN_SHAPES)), ids=str)
def test_matches_the_golden_flows(estimate, golden, index):
  provenance, arrays = golden
  expected, step = arrays[f"flow_{index}"], provenance["step"]
  assert 1 < np.abs(expected).mean() < 20  # a parity near zero would prove nothing
  flow = estimate(*pair_of(GOLDEN_SHAPES[index]))
  assert flow.shape == (*GOLDEN_SHAPES[index], 2) and flow.dtype == np.float32
  np.testing.assert_allclose(flow[:, ::step, ::step], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("shape", LIVE_SHAPES, ids=str)
def test_matches_pytorch(estimate, weights, shape):
  torch = pytest.importorskip("torch")
  from benchmarks.pytorch import pwc_net as pytorch_pwc_net

  pair = pair_of(shape)
  model = pytorch_pwc_net.PWCNet().load_weights(weights)
  first, second = (torch.from_numpy(x).permute(0, 3, 1, 2) for x in pair)
  with torch.no_grad():
    expected = model(first, second).permute(0, 2, 3, 1).numpy()
  assert 1 < np.abs(expected).mean() < 20
  np.testing.assert_allclose(estimate(*pair), expected, rtol=0, atol=TOLERANCE)


def test_the_order_of_pairs_and_their_neighbours_do_not_matter(estimate):
  first, second = pair_of(GOLDEN_SHAPES[0])
  flow = estimate(first, second)
  np.testing.assert_allclose(estimate(first[::-1], second[::-1]), flow[::-1], atol=1e-4)
  assert np.abs(flow[0] - flow[1]).mean() > 0.1


def test_the_second_frame_matters(estimate):
  first, second = pair_of(GOLDEN_SHAPES[0])
  assert np.abs(estimate(first, second) - estimate(first, first)).mean() > 0.1


def test_flat_frames_give_finite_flow(estimate):
  flat = np.zeros((*GOLDEN_SHAPES[0], 3), np.float32)
  assert np.isfinite(estimate(flat, flat)).all()


@pytest.mark.parametrize("level", [6, 5])
def test_costs_pass_a_leaky_relu(level):
  # The random weights above give positive costs alone, on which it does nothing.
  random = np.random.default_rng(0)
  first, second = random.standard_normal((2, 1, 4, 6, 8)).astype(np.float32)
  coarser = None if level == 6 else (np.zeros((1, 2, 3, 2)), np.zeros((1, 2, 3, 5)))
  decoder = _Decoder(level)
  shapes = jax.eval_shape(decoder.init, jax.random.key(0), first, second, coarser)
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
  _, dense = jax.jit(decoder.apply)(zeros, first, second, coarser)
  costs = np.asarray(jax.jit(cost_volume)(first, second))
  assert (costs < -0.1).any()
  added = sum(DECODER_CHANNELS)
  np.testing.assert_allclose(
    dense[..., added : added + 81], np.where(costs > 0, costs, 0.1 * costs), atol=1e-6
  )


@pytest.mark.parametrize(
  ("first", "second"),
  [
    ((1, 64, 64, 3), (1, 64, 128, 3)),
    ((1, 64, 64, 1), (1, 64, 64, 1)),
    ((64, 64, 3), (64, 64, 3)),
  ],
)
def test_refuses_other_shapes(first, second):
  with pytest.raises(ValueError, match="PWCNet needs"):
    PWCNet().apply({}, jnp.zeros(first), jnp.zeros(second))
