"""PWC-Net's three namings in both of PyTorch's file formats."""

import jax
import numpy as np
import pytest

from benchmarks.pytorch import pwc_names
from flow.errors import InputError
from flow.pwcnet.checkpoints import load_pwcnet, pwcnet_variables
from tests.support import torch_file_writer

FORMATS = ("zip", "legacy")


@pytest.fixture(scope="module")
def weights():
  return pwc_names.random_weights(0)


@pytest.fixture(scope="module")
def expected(weights):
  """The variables; `test_pwc_net.py` proves them right by the flows they give."""
  return pwcnet_variables(weights, source="random weights")


@pytest.fixture
def path(tmp_path):
  """A file that is removed at once: the dozens of checkpoints have 37 MB each."""
  path = tmp_path / "checkpoint.pth.tar"
  yield path
  path.unlink(missing_ok=True)


def renamed(weights, naming, prefix=""):
  """The weights as a file of the naming has them."""
  arrays = {
    prefix + pwc_names.rename(name, naming): value for name, value in weights.items()
  }
  if naming == "official":
    arrays[f"{prefix}deconv2.weight"] = np.ones((2, 2, 4, 4), np.float32)
    arrays[f"{prefix}deconv2.bias"] = np.ones(2, np.float32)
  return arrays


def assert_same(variables, expected):
  assert jax.tree.structure(variables) == jax.tree.structure(expected)
  jax.tree.map(np.testing.assert_array_equal, variables, expected)


@pytest.mark.parametrize("naming", pwc_names.NAMINGS)
@pytest.mark.parametrize("file_format", FORMATS)
def test_loads_every_naming_and_format(path, weights, expected, file_format, naming):
  arrays = renamed(weights, naming)
  if naming == "official":
    assert len(arrays) == 128 and sum(a.size for a in arrays.values()) == 9_374_340
  torch_file_writer.write_arrays(path, arrays, file_format)
  assert_same(load_pwcnet(path), expected)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("naming", pwc_names.NAMINGS)
@pytest.mark.parametrize("zip_format", [True, False])
def test_loads_what_pytorch_writes(
  path, weights, expected, zip_format, naming, wrapped
):
  torch = pytest.importorskip("torch")
  from benchmarks.pytorch import pwc_net as pytorch_pwc_net

  state = pytorch_pwc_net.PWCNet().load_weights(weights).named_state_dict(naming)
  if wrapped:
    state = {f"module.{name}": value for name, value in state.items()}
    state = {"epoch": 7, "arch": "pwc", "state_dict": state}
  torch.save(state, path, _use_new_zipfile_serialization=zip_format)
  assert_same(load_pwcnet(path), expected)


@pytest.mark.parametrize("naming", pwc_names.NAMINGS)
def test_accepts_the_prefix_of_data_parallel(weights, expected, naming):
  variables = pwcnet_variables(renamed(weights, naming, "module."), source="file")
  assert_same(variables, expected)


def test_half_precision_becomes_float32(weights):
  halves = {name: value.astype(np.float16) for name, value in weights.items()}
  variables = pwcnet_variables(halves, source="file")
  assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}


# One mistake each, and one case of all together: in every naming, by its own names.
@pytest.mark.parametrize("naming", pwc_names.NAMINGS)
def test_one_line_lists_everything_that_is_wrong(weights, naming):
  arrays = renamed(weights, naming)

  def named(port_name):
    return pwc_names.rename(port_name, naming)

  missing = named("moduleRefiner.moduleMain.12.bias")
  swapped = named("moduleTwo.moduleUpfeat.weight")
  infinite = named("moduleExtractor.moduleSix.0.weight")
  integer = named("moduleSix.moduleFou.0.bias")
  del arrays[missing]
  arrays["stranger\n"] = np.zeros(3, np.float32)
  arrays[swapped] = arrays[swapped].swapaxes(0, 1)
  arrays[infinite] = arrays[infinite] * np.float32("inf")
  arrays[integer] = arrays[integer].astype(np.int32)
  with pytest.raises(InputError) as caught:
    pwcnet_variables(arrays, source="weights.pth")
  line = str(caught.value)
  assert line.startswith("weights.pth: is not a checkpoint of PWC-Net")
  assert f"missing: {missing}; unknown: stranger\\n; misshapen: " in line
  assert f"{swapped} [2, 597, 4, 4] instead of [597, 2, 4, 4]" in line
  assert f"{infinite} with values that are not finite" in line
  assert f"{integer} int32 instead of floating point" in line
  assert line.isprintable()


def test_refuses_the_weights_of_another_network(path):
  arrays = {"conv1.weight": np.zeros((3, 3), np.float32)}
  torch_file_writer.write_arrays(path, arrays, "zip")
  with pytest.raises(InputError, match="none of the 126 tensors") as caught:
    load_pwcnet(str(path))
  assert str(caught.value).startswith(f"{path}: ")


def test_refuses_an_empty_state_dict():
  with pytest.raises(InputError, match="none of the 126 tensors"):
    pwcnet_variables({}, source="file")


def test_the_unused_deconvolution_belongs_to_the_official_file_alone(weights):
  arrays = renamed(weights, "module") | {"deconv2.bias": np.ones(2, np.float32)}
  with pytest.raises(InputError, match=r"unknown: deconv2\.bias"):
    pwcnet_variables(arrays, source="file")


def test_the_official_file_may_lack_the_unused_deconvolution(weights, expected):
  arrays = renamed(weights, "official")
  del arrays["deconv2.weight"], arrays["deconv2.bias"]
  assert_same(pwcnet_variables(arrays, source="file"), expected)


def test_refuses_a_mixture_of_two_namings(weights):
  arrays = renamed(weights, "module")
  arrays["netSix.netSix.0.bias"] = arrays.pop("moduleSix.moduleSix.0.bias")
  with pytest.raises(InputError, match=r"missing: moduleSix\.moduleSix\.0\.bias; unkn"):
    pwcnet_variables(arrays, source="file")
