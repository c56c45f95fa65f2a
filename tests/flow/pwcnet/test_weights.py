"""Weights in the package's own format: there and back, and what is refused."""

import jax
import numpy as np
import pytest

from flow import InputError, make_estimator
from flow.estimators import DISEstimator
from flow.pwcnet.network import PWCNet, make_network
from flow.pwcnet.weights import holds_own_weights, read_weights, write_weights
from flow.training import create_flow_state, make_optimizer
from tests.support import torch_file_writer
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.tiny_network import TINY, tiny  # noqa: F401

FRAMES = np.random.default_rng(0).random((2, 1, 48, 70, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def params():
  network = PWCNet(**TINY)
  optimizer = make_optimizer(lambda _: 0.1)
  return create_flow_state(
    jax.random.key(0), network=network, optimizer=optimizer
  ).params


@pytest.fixture
def path(tmp_path, params, tiny):  # noqa: F811
  path = tmp_path / "weights.npz"
  write_weights(path, params, variant=tiny)
  return path


def test_weights_come_back_rounded_to_float16(path, params):
  network, variables = read_weights(path)
  assert network == make_network("tiny") and holds_own_weights(path)
  assert jax.tree.structure(variables) == jax.tree.structure({"params": params})
  jax.tree.map(
    lambda got, x: np.testing.assert_array_equal(got, np.float32(np.float16(x))),
    variables["params"],
    params,
  )
  assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}


def test_an_estimator_runs_from_the_file(path, monkeypatch):
  flow = make_estimator("pwcnet", weights=path)(*FRAMES)
  assert flow.shape == (1, 48, 70, 2) and np.isfinite(flow).all()
  assert np.abs(flow).max() > 0
  # `auto` takes the weights that it is given, those of the package, or none.
  given = make_estimator("auto", weights=path)
  monkeypatch.setattr("flow.estimators.SHIPPED_WEIGHTS", path)
  shipped = make_estimator("auto")
  assert given.identity == shipped.identity and "PWC-Net" in shipped.identity
  np.testing.assert_array_equal(shipped(*FRAMES), flow)
  monkeypatch.setattr("flow.estimators.SHIPPED_WEIGHTS", path.with_name("none"))
  assert isinstance(make_estimator("auto"), DISEstimator)


def test_pytorch_files_are_told_apart(tmp_path):
  path = tmp_path / "weights.pth"
  torch_file_writer.write_arrays(
    path, {"a.weight": np.zeros((2, 2), np.float32)}, "zip"
  )
  assert not holds_own_weights(path)
  assert not holds_own_weights(tmp_path / "nowhere")


def rewrite(path, change):
  with np.load(path) as file:
    arrays = dict(file)
  change(arrays)
  np.savez(path, **arrays)


def test_one_line_lists_what_does_not_fit(path):
  missing, misshapen, infinite = (
    f"params/{name}/conv/bias"
    for name in ("context/flow", "decoder2/flow", "encoder/level1_0")
  )

  def spoil(arrays):
    del arrays[missing]
    arrays["params/stranger"] = np.zeros(3, np.float16)
    arrays[misshapen] = np.zeros(7, np.float16)
    arrays[infinite][0] = np.inf

  rewrite(path, spoil)
  with pytest.raises(InputError) as caught:
    read_weights(path)
  line = str(caught.value)
  assert (
    line.startswith(f"{path}: does not match the variant tiny") and "\n" not in line
  )
  assert line.endswith(f"{missing}, {misshapen}, {infinite}, params/stranger")


def test_an_unknown_variant_is_named(path):
  rewrite(path, lambda arrays: arrays.update(variant=np.array("huge")))
  with pytest.raises(InputError, match="unknown variant 'huge'; known are full, small"):
    read_weights(path)


def test_a_damaged_file_is_one_line(path):
  path.write_bytes(path.read_bytes().replace(b"NUMPY", b"NIMPY"))
  with pytest.raises(InputError, match="export the weights again") as caught:
    read_weights(path)
  assert "\n" not in str(caught.value)


def test_weights_beyond_float16_are_not_written(tmp_path, params):
  large = jax.tree.map(lambda leaf: leaf * 1e6, params)
  with (
    pytest.raises(ValueError, match="outside the range of float16"),
    np.errstate(over="ignore"),
  ):
    write_weights(tmp_path / "weights.npz", large, variant="small")
  assert not list(tmp_path.iterdir())
