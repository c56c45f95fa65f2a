"""InceptionV3's features against torchvision and pytorch-fid, and its weight files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.inception import (
  arrange_layers,
  frame_features,
  load_inception,
)
from dipvid_jax.evaluation.inception_network import inception_features
from tests.goldens import make_inception
from tests.support.inception_tensors import narrow_tensors, read_golden
from tests.support.synthetic import texture
from tests.support.torch_file_writer import write_arrays

apply = jax.jit(inception_features, static_argnames="of_fid")


@pytest.mark.parametrize("classes", make_inception.SETTINGS["classes"])
def test_agrees_with_the_published_programs(classes):
  provenance, arrays = read_golden()
  seed = provenance["seed"]
  tensors = make_inception.random_tensors(
    provenance["shapes"], seed=seed, classes=classes
  )
  images = make_inception.random_images(provenance["images"], seed=seed)
  layers, of_fid = arrange_layers(tensors, source="golden")
  assert of_fid == (classes == 1008)
  features = apply(layers, jnp.asarray(images), of_fid=of_fid)
  expected = arrays[f"features_{classes}"]
  assert features.shape == (2, 2048)
  # The two images differ by far more than the tolerance.
  assert np.abs(expected[0] - expected[1]).mean() > 1e-3 * expected.max()
  np.testing.assert_allclose(features, expected, atol=1e-5 * expected.max())


def test_the_two_versions_differ():
  _, arrays = read_golden()
  difference = np.abs(arrays["features_1000"] - arrays["features_1008"])
  assert difference.mean() > 0.01 * arrays["features_1000"].max()


@pytest.mark.parametrize("file_format", ["zip", "legacy"])
def test_a_file_is_read_and_frames_are_resized_as_pytorch_fid_does(
  tmp_path, file_format
):
  tensors = narrow_tensors()
  write_arrays(tmp_path / "net.pth", tensors, file_format)
  inception = load_inception(tmp_path / "net.pth")
  assert inception.of_fid and "pytorch-fid, sha256" in inception.identity
  frames = texture(20, 26)[None]
  layers, _ = arrange_layers(tensors, source="test")
  expected = apply(layers, jnp.asarray(resized(frames)), of_fid=True)
  features = frame_features(inception, frames)
  assert features.dtype == np.float64 and features.shape == (1, 128)
  np.testing.assert_allclose(features, expected, atol=1e-4 * np.max(expected))
  levels = np.rint(frames * 255).astype(np.uint8)
  of_levels = frame_features(inception, levels)
  np.testing.assert_array_equal(of_levels, frame_features(inception, levels / 255))


def resized(frames):
  """Bilinear at pixel centres, the border repeated, in [-1, 1]: a loop over pixels."""
  _, height, width, _ = frames.shape
  y = np.clip((np.arange(299) + 0.5) * height / 299 - 0.5, 0, height - 1)
  x = np.clip((np.arange(299) + 0.5) * width / 299 - 0.5, 0, width - 1)
  result = np.zeros((1, 299, 299, 3))
  for i, j in np.ndindex(299, 299):
    top, left = int(y[i]), int(x[j])
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    b, a = y[i] - top, x[j] - left
    upper = (1 - a) * frames[0, top, left] + a * frames[0, top, right]
    lower = (1 - a) * frames[0, bottom, left] + a * frames[0, bottom, right]
    result[0, i, j] = (1 - b) * upper + b * lower
  return np.float32(2 * result - 1)


def changes(tensors):
  kernel = tensors["Mixed_6b.branch7x7_2.conv.weight"]
  return {
    "missing": ({"Mixed_7c.branch_pool.conv.weight": None}, "Mixed_7c.branch_pool"),
    "no statistics": ({"Mixed_5b.branch1x1.bn.running_var": None}, "running_var"),
    "turned": (
      {"Mixed_6b.branch7x7_2.conv.weight": kernel.transpose(0, 1, 3, 2)},
      "Mixed_6b.branch7x7_2 is 7x1",
    ),
    "channels": (
      {"Mixed_6b.branch7x7_2.conv.weight": kernel[:, :3]},
      "not InceptionV3",
    ),
    "classes": ({"fc.bias": np.zeros(10, np.float32)}, "10 classes"),
    "no classes": ({"fc.bias": None}, "fc.bias"),
  }


@pytest.mark.parametrize(
  "kind", ["missing", "no statistics", "turned", "channels", "classes", "no classes"]
)
def test_another_network_is_refused_in_one_line(kind):
  tensors = narrow_tensors()
  changed, said = changes(tensors)[kind]
  tensors = {k: v for k, v in (tensors | changed).items() if v is not None}
  with pytest.raises(InputError, match=r"net\.pth: is not InceptionV3") as error:
    arrange_layers(tensors, source="net.pth")
  assert said in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(InputError, match=r"none\.pth: cannot be read"):
    load_inception(tmp_path / "none.pth")


def test_torchvisions_weights_are_named_as_not_the_fields(tmp_path):
  write_arrays(tmp_path / "net.pth", narrow_tensors(classes=1000), "zip")
  inception = load_inception(tmp_path / "net.pth")
  assert not inception.of_fid and "not the field's" in inception.identity
