"""An update does the work that the method needs, and no more.

Floating-point operations of one update at the paper's setting (192 x 384, N = 5), as
XLA counts them before compilation. The method needs 48 GFLOP for the generator,
forward and backward, and 271 for VGG16's features and their gradient for the images;
upsampled maps would add 20, known features computed in every update 137, gradients of
VGG16's weights another 137, its blocks 4 and 5 another 177.
"""

import jax
import jax.numpy as jnp
import optax
import pytest

from dipvid_jax.method.requirements import flop_a_pixel
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import load_vgg16
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.objective import make_losses
from dipvid_jax.training.step import make_train_step
from dipvid_jax.types import Batch

_N, _H, _W = 5, 192, 384
_FEATURES = ((1, 64), (2, 128), (4, 256))  # divisor of the size, channels


def _shape(*shape, dtype=jnp.float32):
  return jax.ShapeDtypeStruct(shape, dtype)


def _batch():
  pairs = (_N - 1, _H, _W)
  return Batch(
    noise=_shape(_N, _H, _W, 1),
    frames=_shape(_N, _H, _W, 3),
    hole_mask=_shape(_N, _H, _W, 1),
    flow=_shape(*pairs, 2),
    flow_hole=_shape(*pairs, 1),
    visible=_shape(*pairs, 1),
    flow_scale=_shape(),
    flow_channel=_shape(dtype=jnp.int32),
    features=tuple(_shape(_N, _H // d, _W // d, c) for d, c in _FEATURES),
    feature_holes=tuple(_shape(_N, _H // d, _W // d, 1) for d, _ in _FEATURES),
  )


def _gigaflops(vgg, *, levels=6, second_kernel=1):
  model = EncoderDecoder(flow_channels=12, levels=levels, second_kernel=second_kernel)
  optimizer = optax.adam(0.01)
  losses = make_losses(vgg=vgg, perceptual_weight=0.01 if vgg else 0.0)
  state = jax.eval_shape(
    lambda key: create_train_state(
      key, model=model, optimizer=optimizer, sample=jnp.zeros((1, _H, _W, 1))
    ),
    jax.random.key(0),
  )
  step = jax.jit(make_train_step(model, optimizer, losses=losses))
  return step.lower(state, _batch()).cost_analysis()["flops"] / 1e9


@pytest.mark.parametrize(
  ("losses", "least", "most"), [("no VGG16", 40, 55), ("all", 310, 340)]
)
def test_work_of_an_update(losses, least, most):
  gigaflops = _gigaflops(load_vgg16() if losses == "all" else None)
  assert least < gigaflops < most


@pytest.mark.parametrize("second_kernel", [1, 3])
def test_the_estimate_is_xlas_count(second_kernel):
  network = {"levels": 2, "second_kernel": second_kernel}
  estimate = flop_a_pixel(**network) * _N * _H * _W / 1e9
  assert estimate == pytest.approx(_gigaflops(None, **network), rel=0.02)
