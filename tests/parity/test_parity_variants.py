"""What the paper's text has and the authors' program has not, against PyTorch."""
# ruff: noqa: E402  (the imports after `importorskip` need PyTorch)

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.pytorch import generator, losses, vgg
from benchmarks.pytorch.convert import to_torch
from dipvid_jax.networks.generator import Conv
from dipvid_jax.networks.vgg import feature_hole_masks
from dipvid_jax.training.objective import consistency_term
from dipvid_jax.types import Batch, Outputs
from tests.parity import parity_jax, parity_torch
from tests.parity.parity_scene import make_params


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_second_kernel_of_three(compare, ndim):
  form = {"levels": 1, "out_channels": 3, "ndim": ndim, "second_kernel": 3}
  params = make_params(3, **form)
  draw = np.random.RandomState(4)
  noise = draw.uniform(0, 0.1, size=(3, 8, 10, 1))
  cotangent = draw.normal(size=(3, 8, 10, 3))
  with parity_jax.precision(64):
    outputs, gradients, _ = parity_jax.forward_and_gradients(
      parity_jax.make_model(**form), params, noise, cotangent
    )
  model = parity_torch.make_model(params, **form)
  theirs = torch.sigmoid(generator.generate(model, parity_torch.to_tensor(noise)))
  (theirs * parity_torch.to_tensor(cotangent)).sum().backward()
  compare("outputs", outputs, parity_torch.to_array(theirs), 1e-12)
  ours = to_torch(gradients, levels=1)
  name = "levels.0.mix.conv.weight"
  assert ours[name].shape[-1] == 3
  compare(name, ours[name], parity_torch.gradients(model)[name], 1e-10)


def test_initial_weights_of_lecun():
  """Normal with deviation 1 / sqrt(inputs), no bias."""
  inputs, kernel = 16, (5, 5)
  layer = Conv(400, kernel, initialization="lecun")
  drawn = layer.init(jax.random.key(0), jnp.zeros((1, 8, 8, inputs)))["params"]
  assert not drawn["bias"].any()
  with torch.random.fork_rng():
    torch.manual_seed(0)
    deviation = 1 / math.sqrt(inputs * math.prod(kernel))
    theirs = torch.empty(drawn["kernel"].size).normal_(0, deviation)
  steps = np.linspace(0.02, 0.98, 21)
  ours, expected = (
    np.quantile(np.ravel(values) / deviation, steps)
    for values in (drawn["kernel"], theirs.numpy())
  )
  np.testing.assert_allclose(ours, expected, atol=0.03)


@pytest.mark.parametrize("size", [(24, 32), (21, 30)])
def test_a_hole_reduced_to_the_features_size(size):
  hole = (np.random.RandomState(0).uniform(size=(3, *size, 1)) < 0.2).astype(float)
  with parity_jax.precision(64):
    resize = jax.jit(lambda hole: feature_hole_masks(hole, form="resized"))
    ours = parity_jax.as_numpy(resize(hole))
  cut = hole[:, : size[0] // 4 * 4, : size[1] // 4 * 4]  # pooling drops the rest
  theirs = vgg.resized_hole_masks(parity_torch.to_tensor(cut))
  for mask, expected in zip(ours, theirs, strict=True):
    expected = parity_torch.to_array(expected)
    cut = mask[:, : expected.shape[1], : expected.shape[2]]
    np.testing.assert_allclose(cut, expected, atol=1e-15)
  assert 0 <= float(ours[2].min()) < float(ours[2].max()) < 1


@pytest.mark.parametrize("both_ways", [False, True])
def test_the_consistency_loss_of_a_batch(compare, both_ways):
  """Of the frame that a warped one is compared with, only the paper moves it."""
  draw = np.random.RandomState(1)
  image = draw.uniform(size=(3, 12, 16, 3))
  flow = draw.uniform(-1.4, 1.4, size=(3, 12, 16, 2))
  hole = (draw.uniform(size=(2, 12, 16, 1)) < 0.4).astype(float)
  with parity_jax.precision(64):
    batch = Batch(
      noise=jnp.zeros(()),
      frames=jnp.asarray(image),
      hole_mask=jnp.asarray(hole),
      flow_hole=jnp.asarray(hole),
      flow_scale=jnp.asarray(2.0),
      flow_channel=jnp.int32(0),
    )

    @jax.jit
    def ours(image, flow):
      return consistency_term(Outputs(image, flow), batch, both_ways=both_ways)

    value, gradients = jax.value_and_grad(ours, argnums=(0, 1))(image, flow)
  tensors = [parity_torch.to_tensor(x).requires_grad_() for x in (image, flow)]
  frames, known = tensors
  expected = losses.consistency_loss(
    *(frames[:-1], frames[1:], 2 * known[:-1], parity_torch.to_tensor(hole)),
    both_ways=both_ways,
  )
  expected.backward()
  compare("value", value, expected.detach(), 1e-12)
  for name, gradient, tensor in zip(("image", "flow"), gradients, tensors, strict=True):
    compare(name, gradient, parity_torch.to_array(tensor.grad), 1e-12)
  assert np.any(gradients[0][0]) == both_ways  # frame 0 is only compared with
