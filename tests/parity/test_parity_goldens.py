"""JAX against numbers that PyTorch left in a file; but for one, without PyTorch."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.networks.vgg import feature_hole_masks, load_vgg16, vgg16_features
from flow import backward_warp
from tests.parity import parity_goldens as goldens
from tests.parity import parity_jax


@pytest.fixture(scope="module")
def golden():
  """`(arrays, settings)` of the file."""
  return goldens.load()


def test_provenance(golden):
  """The file tells how it was made, and is what the current script would make."""
  _, settings = golden
  made_with = settings.pop("made_with")
  assert {"python", "numpy", "torch", "dtype"} <= made_with.keys()
  assert settings == goldens.SETTINGS, "run python -m tests.goldens.make_parity"
  assert goldens.PATH.stat().st_size < 300_000


@pytest.mark.parametrize("name", ["generator", "volume"])
def test_generator(compare, golden, name):
  arrays, settings = golden
  sizes, params, noise, cotangent = goldens.network_inputs(settings[name])
  with parity_jax.precision(64):
    outputs, gradients, _ = parity_jax.forward_and_gradients(
      parity_jax.make_model(**sizes), params, noise, cotangent
    )
  compare("outputs", outputs, arrays[f"{name}/outputs"], 1e-12)
  _compare_digests(compare, arrays, f"{name}/gradient/", gradients, 1e-10)


def test_warp(compare, golden):
  arrays, settings = golden
  with parity_jax.precision(64):
    outputs = jax.jit(backward_warp)(*goldens.warp_inputs(settings["warp"]))
  warped, in_bounds = parity_jax.as_numpy(outputs)
  compare("warped", warped, arrays["warp/warped"], 1e-12)
  np.testing.assert_array_equal(in_bounds, arrays["warp/in_bounds"])


@pytest.mark.parametrize("convention", ["authors", "imagenet"])
def test_vgg16(compare, golden, convention):
  arrays, settings = golden
  images, hole_mask = goldens.vgg_inputs(settings["vgg"])
  with parity_jax.precision(64):
    features = vgg16_features(load_vgg16(), jnp.asarray(images), convention=convention)
    masks = feature_hole_masks(jnp.asarray(hole_mask))
  for index, feature in enumerate(features):
    values = goldens.thin(feature, settings["vgg"]["every"])
    compare(f"feature {index}", values, arrays[f"vgg/{convention}/{index}"], 1e-12)
  for index, mask in enumerate(masks):
    np.testing.assert_array_equal(mask, arrays[f"vgg/mask/{index}"])


def test_twenty_updates(compare, golden):
  """A batch's masks, the losses of 20 updates on it, the parameters after them."""
  arrays, settings = golden
  where = settings["batch"]
  scene, _ = goldens.training_inputs(settings)
  with parity_jax.precision(64):
    batch = parity_jax.as_numpy(parity_jax.make_batch(scene, **where))
  metrics, params = parity_jax.golden_updates()
  order = slice(None) if where["forward"] else slice(None, None, -1)
  np.testing.assert_array_equal(batch.visible[order], arrays["training/visible"])
  np.testing.assert_array_equal(batch.flow_hole[order], arrays["training/hole_flow"])
  for name in ("image", "flow", "consistency", "perceptual"):
    expected = arrays[f"training/loss/{name}"]
    np.testing.assert_allclose(metrics[name], expected, rtol=1e-8, err_msg=name)
    compare(name, metrics[name], expected, 1e-8)
  _compare_digests(compare, arrays, "training/params/", params, 1e-8)


def test_twenty_updates_beside_pytorch(compare):
  """The goldens' run in PyTorch here: every update's losses, the last parameters."""
  pytest.importorskip("torch", reason="PyTorch is not installed")
  parity_updates = importlib.import_module("tests.parity.parity_updates")
  trainer, batch = parity_updates.golden_trainer()
  ours = parity_jax.golden_updates()
  parity_updates.compare_updates(compare, *ours, trainer, batch)


def _compare_digests(compare, arrays, prefix, tree, limit):
  """Compares every golden digest under a prefix with the array of that path."""
  names = [name for name in arrays if name.startswith(prefix)]
  assert names
  for name in names:
    value = tree
    for key in name.removeprefix(prefix).split("/"):
      value = value[key]
    compare(name, goldens.digest(value), arrays[name], limit)
