"""The generator in JAX against the generator in PyTorch."""
# ruff: noqa: E402  (the imports after `importorskip` need PyTorch)

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.pytorch import generator as reference
from benchmarks.pytorch.convert import has_no_gradient, to_flax, to_torch
from dipvid_jax.networks.generator import BatchNorm, Conv
from tests.parity import parity_jax, parity_torch
from tests.parity.parity_scene import make_params

COUNTS = {(15, 2): 3_072_139, (3, 2): 3_071_935, (3, 3): 9_089_119}
# In float32 a LeakyReLU whose input rounds to the other side of zero changes the
# gradients by 1e-3; with these seeds no input comes closer to zero than this.
KINK_MARGIN = 1e-4
SEEDS = {2: 28, 3: 22}


def _values(*, bits, ndim):
  """Parameters, noise and cotangent; equal to the last bit for both types."""
  sizes = {"levels": 2, "out_channels": 15 if ndim == 2 else 3, "ndim": ndim}
  params = make_params(SEEDS[ndim], **sizes)
  draw = np.random.RandomState(SEEDS[ndim] + 100)
  noise = draw.uniform(0, 0.1, size=(3, 12, 16, 1))
  cotangent = draw.normal(size=(3, 12, 16, sizes["out_channels"]))
  values = parity_jax.cast((params, noise, cotangent), np.float32)
  return sizes, parity_jax.cast(values, np.float64 if bits == 64 else np.float32)


@functools.cache
def _both(*, bits, ndim):
  """Runs both generators: outputs, gradients by name and the noise's, of each."""
  sizes, (params, noise, cotangent) = _values(bits=bits, ndim=ndim)
  with parity_jax.precision(bits):
    ours = parity_jax.forward_and_gradients(
      parity_jax.make_model(**sizes), params, noise, cotangent
    )
  model = parity_torch.make_model(params, **sizes)
  inputs = parity_torch.to_tensor(noise).requires_grad_()
  raw = reference.generate(model, inputs)
  outputs = torch.cat([torch.sigmoid(raw[:, :3]), raw[:, 3:]], dim=1)
  (outputs * parity_torch.to_tensor(cotangent)).sum().backward()
  theirs = (
    parity_torch.to_array(outputs),
    parity_torch.gradients(model),
    parity_torch.to_array(inputs.grad),
  )
  ours_by_name = {
    k: v.numpy() for k, v in to_torch(ours[1], levels=sizes["levels"]).items()
  }
  return (ours[0], ours_by_name, ours[2]), theirs


@pytest.mark.parametrize(("out_channels", "ndim"), COUNTS)
def test_parameter_counts(out_channels, ndim):
  expected = COUNTS[out_channels, ndim]
  model = parity_jax.make_model(levels=6, out_channels=out_channels, ndim=ndim)
  sample = jax.ShapeDtypeStruct((5, 192, 384, 1), jnp.float32)
  ours = jax.eval_shape(model.init, jax.random.key(0), sample)
  assert sum(math.prod(x.shape) for x in jax.tree.leaves(ours)) == expected
  with torch.device("meta"):
    theirs = reference.EncoderDecoder(6, out_channels, ndim=ndim)
  assert sum(p.numel() for p in theirs.parameters()) == expected


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
  ("bits", "outputs_limit", "gradients_limit"), [(64, 1e-12, 1e-10), (32, 2e-5, 1e-4)]
)
def test_forward_and_gradients(compare, bits, ndim, outputs_limit, gradients_limit):
  sizes, (params, noise, _) = _values(bits=64, ndim=ndim)
  model = parity_torch.make_model(params, **sizes)
  noise = parity_torch.to_tensor(noise)
  assert parity_torch.smallest_preactivation(model, noise) > KINK_MARGIN
  ours, theirs = _both(bits=bits, ndim=ndim)
  compare("outputs", ours[0], theirs[0], outputs_limit)
  compare("gradient of the noise", ours[2], theirs[2], gradients_limit)
  assert ours[1].keys() == theirs[1].keys()
  for name in theirs[1]:
    if not has_no_gradient(name):
      limit = parity_torch.gradient_limit(name, bits) or gradients_limit
      compare(name, ours[1][name], theirs[1][name], limit)


@pytest.mark.parametrize("ndim", [2, 3])
def test_parameters_without_a_gradient(ndim):
  """The parameters left out of comparisons are right to be left out."""
  for _, gradients, _ in _both(bits=64, ndim=ndim):
    largest = {name: np.abs(value).max() for name, value in gradients.items()}
    zero = [size for name, size in largest.items() if has_no_gradient(name)]
    others = [size for name, size in largest.items() if not has_no_gradient(name)]
    assert max(zero) < 1e-9 * min(others)


def test_six_levels(compare):
  """The whole network at the smallest size that it takes."""
  sizes = {"levels": 6, "out_channels": 15}
  params = make_params(1, **sizes)
  noise = np.random.RandomState(4).uniform(0, 0.1, (1, 192, 192, 1))
  with parity_jax.precision(64):
    apply = jax.jit(parity_jax.make_model(**sizes).apply)
    ours = apply({"params": parity_jax.as_jax(params)}, noise)
    ours = np.asarray(parity_jax.raw_outputs(ours))
  with torch.no_grad():
    raw = parity_torch.make_model(params, **sizes)(parity_torch.to_tensor(noise))
  raw[:, :3] = torch.sigmoid(raw[:, :3])
  compare("outputs", ours, parity_torch.to_array(raw), 1e-11)


@pytest.mark.parametrize(
  "kernel", [(5, 5), (3, 3), (1, 1), (3, 5, 5), (3, 3, 3), (1, 1, 1)]
)
@pytest.mark.parametrize("stride", [1, 2])
def test_padded_convolution(compare, kernel, stride):
  """Reflection in space, replication in time, at a size close to the padding."""
  draw = np.random.RandomState(5)
  space = (6, 8) if len(kernel) == 2 else (3, 6, 8)
  strides = (stride, stride) if len(kernel) == 2 else (1, stride, stride)
  x = draw.normal(size=(2, *space, 3))
  weights = {"kernel": draw.normal(size=(*kernel, 3, 4)), "bias": draw.normal(size=4)}
  with parity_jax.precision(64):
    layer = Conv(4, kernel, strides)
    variables = {"params": parity_jax.as_jax(weights)}
    ours = np.asarray(jax.jit(layer.apply)(variables, jnp.asarray(x)))
  functional = torch.nn.functional
  convolution = functional.conv2d if len(kernel) == 2 else functional.conv3d
  theirs = convolution(
    reference.pad_border(parity_torch.to_tensor(x), kernel),
    torch.tensor(np.moveaxis(weights["kernel"], (-1, -2), (0, 1)).copy()),
    torch.tensor(weights["bias"]),
    strides,
  )
  compare("outputs", ours, parity_torch.to_array(theirs), 1e-13)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_batch_norm(compare, ndim, spread):
  """Also where the variance is as small as epsilon."""
  draw = np.random.RandomState(6)
  shape = (3, 4, 6, 5) if ndim == 2 else (1, 3, 4, 6, 5)
  x, cotangent = 0.3 + spread * draw.normal(size=shape), draw.normal(size=shape)
  weights = {"scale": draw.normal(size=5), "bias": draw.normal(size=5)}

  def function(weights, x):
    (outputs,) = BatchNorm().apply({"params": weights}, x)
    return jnp.sum(outputs * cotangent), outputs

  with parity_jax.precision(64):
    run = jax.jit(jax.value_and_grad(function, argnums=(0, 1), has_aux=True))
    (_, ours), ours_grads = run(*parity_jax.as_jax((weights, x)))
  layer = reference.batch_norm(5, ndim).double()
  layer.load_state_dict(
    {"weight": torch.tensor(weights["scale"]), "bias": torch.tensor(weights["bias"])}
  )
  inputs = parity_torch.to_tensor(x).requires_grad_()
  theirs = layer(inputs)
  (theirs * parity_torch.to_tensor(cotangent)).sum().backward()
  compare("outputs", ours, parity_torch.to_array(theirs), 1e-12)
  compare("gradient of x", ours_grads[1], parity_torch.to_array(inputs.grad), 1e-10)
  compare("gradient of scale", ours_grads[0]["scale"], layer.weight.grad, 1e-11)
  compare("gradient of offset", ours_grads[0]["bias"], layer.bias.grad, 1e-12)
  assert not dict(layer.named_buffers()), "no running averages"
  with torch.no_grad():
    assert torch.equal(layer.eval()(inputs), theirs), "inference is as training"


@pytest.mark.parametrize(
  ("kernel", "inputs", "features"),
  [((5, 5), 16, 32), ((1, 1), 1, 4), ((3, 5, 5), 4, 16)],
)
def test_initial_distribution(kernel, inputs, features):
  """Both draw kernels and biases uniformly within 1 / sqrt(fan_in)."""
  layer, draws = Conv(features, kernel), 400
  x = jnp.zeros((1, *(8,) * len(kernel), inputs))
  keys = jax.random.split(jax.random.key(0), draws)
  ours = jax.jit(jax.vmap(lambda key: layer.init(key, x)["params"]))(keys)
  with torch.random.fork_rng():
    torch.manual_seed(0)
    blocks = [
      reference.ConvBlock(inputs, features, kernel[-1], stride=1, ndim=len(kernel)).conv
      for _ in range(draws)
    ]
  theirs = {
    "kernel": torch.stack([block.weight.detach() for block in blocks]),
    "bias": torch.stack([block.bias.detach() for block in blocks]),
  }
  steps = np.linspace(0, 1, 21)
  for name in theirs:
    assert ours[name].size == theirs[name].numel()
    for drawn in (np.asarray(ours[name]), theirs[name].numpy()):
      values = drawn.ravel() * math.sqrt(inputs * math.prod(kernel))
      assert np.abs(values).max() <= 1 + 1e-6
      np.testing.assert_allclose(
        np.quantile(values, steps), 2 * steps - 1, atol=4 / math.sqrt(values.size)
      )


def test_initial_batch_norm():
  ours = BatchNorm().init(jax.random.key(0), jnp.zeros((2, 7)))["params"]
  theirs = reference.batch_norm(7, 2)
  np.testing.assert_array_equal(ours["scale"], theirs.weight.detach())
  np.testing.assert_array_equal(ours["bias"], theirs.bias.detach())


def test_scale_as_drawn_by_the_pinned_version():
  """PyTorch 1.0.0, which the authors pin, drew BatchNorm's scale from U[0, 1]."""
  layer = BatchNorm(random_scale=True)
  scale = layer.init(jax.random.key(0), jnp.zeros((2, 1000)))["params"]["scale"]
  steps = np.linspace(0, 1, 11)
  np.testing.assert_allclose(np.quantile(scale, steps), steps, atol=0.05)


def test_conversion_there_and_back():
  for ndim, out_channels in ((2, 15), (3, 3)):
    params = make_params(1, levels=3, out_channels=out_channels, ndim=ndim)
    back = to_flax(to_torch(params, levels=3), levels=3)
    assert jax.tree.structure(back) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, back, params)
  with pytest.raises(ValueError, match="expected"):
    to_torch({**params, "extra": {"bias": np.zeros(1)}}, levels=3)
  with pytest.raises(KeyError):
    to_torch({k: v for k, v in params.items() if k != "heads"}, levels=3)
