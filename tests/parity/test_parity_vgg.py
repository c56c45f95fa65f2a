"""VGG16 features with the real weights, and perceptual masks, against PyTorch."""
# ruff: noqa: E402  (the imports after `importorskip` need PyTorch)

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.pytorch import vgg as reference
from dipvid_jax.networks.vgg import feature_hole_masks, load_vgg16, vgg16_features
from tests.parity import parity_jax, parity_torch

CONVENTIONS = ("authors", "imagenet")
# The first numbers of conv1_1, as published with the weights.
FIRST_KERNEL_NUMBERS = (-0.5537306, 0.1427047, 0.5289615)


def test_weights():
  """Both readers find the same numbers, and torchvision's."""
  ours, theirs = load_vgg16(), reference.read_weights()
  np.testing.assert_allclose(
    ours[0]["kernel"][:, :, 0, 0].ravel()[:3], FIRST_KERNEL_NUMBERS, rtol=1e-6
  )
  assert len(theirs) == 13
  for layer, (kernel, bias) in zip(ours, theirs, strict=False):
    np.testing.assert_array_equal(layer["kernel"], kernel.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(layer["bias"], bias)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("bits", "limit"), [(64, 1e-12), (32, 1e-5)])
def test_features(compare, convention, bits, limit):
  ours, _ = _ours(convention, bits)
  theirs, _ = _theirs(convention, bits)
  for name, *pair in zip(("relu1_2", "relu2_2", "relu3_3"), ours, theirs, strict=True):
    compare(name, *pair, limit)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_gradient_of_the_images(compare, convention):
  """In float64 only: a ReLU or a maximum that rounds the other way is no error."""
  compare("images", _ours(convention, 64)[1], _theirs(convention, 64)[1], 1e-10)


def test_running_to_the_end_changes_nothing():
  images = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
  features = [
    reference.VGG16Features(to_the_end=to_the_end)(images)
    for to_the_end in (False, True)
  ]
  for short, long in zip(*features, strict=True):
    assert torch.equal(short, long)


@pytest.mark.parametrize("size", [(24, 32), (22, 30)])
def test_feature_hole_masks(size):
  """Single pixels, at corners and borders too, and both extremes, to the last bit."""
  hole = np.zeros((7, *size, 1), np.float32)
  hole[0, 0, 0] = hole[1, -1, -1] = hole[2, 11, 13] = hole[3, 8, 0] = hole[3, 20, 9] = 1
  hole[4] = 1
  hole[5] = np.random.RandomState(0).uniform(size=(*size, 1)) < 0.01
  ours = jax.jit(feature_hole_masks)(hole)
  theirs = reference.feature_hole_masks(parity_torch.to_tensor(hole))
  assert len(ours) == len(theirs) == 3
  for mask, expected in zip(ours, theirs, strict=True):
    np.testing.assert_array_equal(mask, parity_torch.to_array(expected))


def _images(bits):
  images = np.random.RandomState(0).uniform(size=(2, 12, 16, 3)).astype(np.float32)
  return images.astype(np.float64) if bits == 64 else images


def _cotangents():
  draw = np.random.RandomState(1)
  shapes = [(2, 12, 16, 64), (2, 6, 8, 128), (2, 3, 4, 256)]
  return [draw.normal(size=shape) for shape in shapes]


@functools.cache
def _ours(convention, bits):
  """Features, and the gradient of their product with the cotangents."""

  @functools.partial(jax.jit, compiler_options=parity_jax.QUICK_COMPILE)
  def run(images, params):
    return jax.grad(function, has_aux=True)(images, params)

  def function(images, params):
    features = vgg16_features(params, images, convention=convention)
    pairs = zip(features, _cotangents(), strict=True)
    return sum(jnp.sum(f * jnp.asarray(c, f.dtype)) for f, c in pairs), features

  with parity_jax.precision(bits):
    params = parity_jax.as_jax(load_vgg16())
    gradient, features = run(jnp.asarray(_images(bits)), params)
  return features, gradient


@functools.cache
def _theirs(convention, bits):
  dtype = torch.float64 if bits == 64 else torch.float32
  images = parity_torch.to_tensor(_images(bits)).requires_grad_()
  features = reference.VGG16Features(convention=convention, dtype=dtype)(images)
  pairs = zip(features, _cotangents(), strict=True)
  sum((f * parity_torch.to_tensor(c).to(dtype)).sum() for f, c in pairs).backward()
  arrays = [parity_torch.to_array(feature) for feature in features]
  return arrays, parity_torch.to_array(images.grad)
