"""The precision of products and convolutions: asked for where it should be, and only
there; a CPU's bits do not depend on it.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.evaluation import evaluate as evaluation
from dipvid_jax.evaluation import lpips
from dipvid_jax.evaluation.clip_files import ClipFiles
from dipvid_jax.evaluation.inception import arrange_layers
from dipvid_jax.evaluation.inception_network import inception_features
from dipvid_jax.evaluation.truth import TrueFiles
from dipvid_jax.media.images import write_images
from dipvid_jax.networks.conv import convolve
from dipvid_jax.training.precision import (
  PRECISIONS,
  at_precision,
  effective_precision,
  precision_scope,
)
from tests.support.inception_tensors import narrow_tensors


def loss(x, kernel):
  """Of a convolution with a stride and one that is a product, as the network has."""
  x = convolve(x, kernel, strides=(2, 2), zero_padding=1)
  return (convolve(x, kernel[:1, :1], strides=(1, 1)) ** 2).sum()


def test_a_cpu_gives_the_same_bits_at_every_precision():
  shapes = (2, 12, 16, 8), (3, 3, 8, 8)
  x, kernel = (
    jax.random.normal(jax.random.key(seed), shape) for seed, shape in enumerate(shapes)
  )
  values = [
    jax.jit(jax.value_and_grad(at_precision(loss, precision), (0, 1)))(x, kernel)
    for precision in PRECISIONS
  ]
  jax.tree.map(np.testing.assert_array_equal, *values)


def asked(traced):
  """The precisions that the convolutions and products of a program ask for."""
  return set(re.findall(r"\b(DEFAULT|HIGHEST|HIGH)\b", traced.lower().as_text()))


def test_the_default_leaves_jaxs_own_setting():
  x = jnp.ones((2, 2))
  plain = at_precision(lambda x: x @ x, "default")
  with jax.default_matmul_precision("high"):
    assert asked(jax.jit(plain).trace(x)) == {"HIGH"}
    assert effective_precision("default") == "high"
    assert effective_precision("highest") == "highest"
  assert effective_precision("default") == "default"


@pytest.mark.parametrize("network", lpips.NETWORKS)
def test_lpips_is_computed_at_the_precision_of_the_scope(network):
  params = jax.eval_shape(lambda: lpips.load_lpips(network))
  image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  for precision in PRECISIONS:
    with precision_scope(precision):
      traced = lpips._distance(network).trace(params, image, image)
      assert asked(traced) <= {precision.upper()}
  assert asked(traced) == {"HIGHEST"}


def test_inception_is_computed_at_the_precision_of_the_scope():
  layers, of_fid = arrange_layers(narrow_tensors(), source="a test")
  features = functools.partial(inception_features, of_fid=of_fid)
  image = jax.ShapeDtypeStruct((1, 75, 75, 3), jnp.float32)
  with precision_scope("highest"):
    assert asked(jax.jit(features).trace(layers, image)) == {"HIGHEST"}


@pytest.mark.parametrize("given", [{}, {"matmul_precision": "default"}])
def test_an_evaluation_measures_at_its_precision_and_says_so(
  tmp_path, monkeypatch, given
):
  frames = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3), np.uint8)
  for name in ("result", "truth", "mask"):
    write_images(tmp_path / name, frames if name != "mask" else frames // 255 * 255)
  seen = []

  def evaluate_clip(*_, **__):
    seen.append(jax.config.jax_default_matmul_precision)
    return {"frames": 2, "lpips_vgg16": 0.0}

  monkeypatch.setattr(evaluation, "evaluate_clip", evaluate_clip)
  truth = TrueFiles(tmp_path / "truth", tmp_path / "mask")
  clips = [ClipFiles("clip", tmp_path / "result", truth)]
  table = evaluation.evaluate(clips, name="ours", measures=["lpips"], **given)
  assert seen == ([None] if given else ["highest"])
  assert table.settings["matmul precision"] == ("default" if given else "highest")
