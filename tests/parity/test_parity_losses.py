"""Warp, masks and losses in JAX against PyTorch, with their gradients."""
# ruff: noqa: E402  (the imports after `importorskip` need PyTorch)

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.pytorch import losses as reference
from dipvid_jax.training import losses
from dipvid_jax.training.batching import pair_hole_mask
from flow import backward_warp, visible_mask
from tests.parity import parity_jax, parity_torch

SHAPE = (3, 20, 28)


def _draw(channels, *, seed=0, shape=SHAPE):
  return np.random.RandomState(seed).normal(size=(*shape, channels))


def _mask(seed, *, shape=SHAPE):
  return (np.random.RandomState(seed).uniform(size=(*shape, 1)) < 0.4).astype(float)


def _fractional_flow(seed=7):
  """Flow of up to 4 pixels, some of it out of the frame, none of it whole."""
  flow = np.random.RandomState(seed).uniform(-4, 4, size=(*SHAPE, 2))
  return np.where(np.abs(flow - np.round(flow)) < 0.01, flow + 0.05, flow)


def _check(compare, ours, theirs, arguments, *, limit=1e-12):
  """Compares a scalar function and its gradients in all its arguments.

  An argument may be a list of arrays. A gradient that is zero on one side must be
  zero on the other.
  """
  with parity_jax.precision(64):
    run = jax.jit(jax.value_and_grad(ours, argnums=tuple(range(len(arguments)))))
    value, gradients = run(*parity_jax.as_jax(arguments))
  tensors = jax.tree.map(
    lambda x: parity_torch.to_tensor(x).requires_grad_(), tuple(arguments)
  )
  expected = theirs(*tensors)
  expected.backward()
  compare("value", value, expected.detach(), limit)
  pairs = zip(jax.tree.leaves(gradients), jax.tree.leaves(tensors), strict=True)
  for index, (gradient, tensor) in enumerate(pairs):
    if tensor.grad is None or not tensor.grad.any():
      assert not np.any(gradient), f"argument {index} gets a gradient"
    else:
      name = f"gradient {index}"
      compare(name, gradient, parity_torch.to_array(tensor.grad), limit)


def test_warp(compare):
  image, flow, cotangent = _draw(3), _fractional_flow(), _draw(3, seed=1)
  _check(
    compare,
    lambda image, flow: jnp.sum(backward_warp(image, flow)[0] * cotangent),
    lambda image, flow: (
      reference.warp(image, flow)[0] * parity_torch.to_tensor(cotangent)
    ).sum(),
    (image, flow),
  )
  with parity_jax.precision(64):
    warped, in_bounds = parity_jax.as_numpy(jax.jit(backward_warp)(image, flow))
  theirs = reference.warp(parity_torch.to_tensor(image), parity_torch.to_tensor(flow))
  compare("warped", warped, parity_torch.to_array(theirs[0]), 1e-12)
  np.testing.assert_array_equal(in_bounds, parity_torch.to_array(theirs[1]))
  assert 0.05 < in_bounds.mean() < 0.95


def test_in_bounds_near_the_border():
  """Flow that leaves the frame by less and by more than the threshold allows."""
  flow = np.zeros((6, 12, 16, 2))
  for index, distance in enumerate((-0.0020, -0.0005, 0.0005, 0.0020, 0.5, -1.5)):
    flow[index] = distance
  image = _draw(1, shape=(6, 12, 16))
  with parity_jax.precision(64):
    _, ours = jax.jit(backward_warp)(image, flow)
  _, theirs = reference.warp(
    parity_torch.to_tensor(image), parity_torch.to_tensor(flow)
  )
  np.testing.assert_array_equal(ours, parity_torch.to_array(theirs))
  sides = np.asarray(ours)[:4, (0, -1), 5, 0]  # top and bottom row
  np.testing.assert_array_equal(sides, [[0, 1], [1, 1], [1, 1], [1, 0]])


def test_warp_by_whole_pixels(compare):
  """Zero and whole-pixel flow, where PyTorch's grid is only nearly exact."""
  image = _draw(3)
  for dx, dy in ((0, 0), (2, -1), (-40, 3)):
    flow = np.broadcast_to(np.array([dx, dy], float), (*SHAPE, 2))
    with parity_jax.precision(64):
      ours, _ = jax.jit(backward_warp)(image, flow)
    theirs, _ = reference.warp(
      parity_torch.to_tensor(image), parity_torch.to_tensor(flow)
    )
    np.testing.assert_allclose(ours, parity_torch.to_array(theirs), atol=1e-12)


def test_visible_mask():
  """Round trips that end 0 to 2.4 pixels from the start; the limit is 1.18."""
  shape = (3, 48, 64)
  draw = np.random.RandomState(3)
  angle, distance = draw.uniform(0, 2 * np.pi, shape), draw.uniform(0, 2.4, shape)
  missed = distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
  there = draw.uniform(-3, 3, size=(3, 1, 1, 2)) + np.zeros((*shape, 2))
  there[0] = np.round(there[0])  # here the way back is read without interpolation
  with parity_jax.precision(64):
    ours = np.asarray(jax.jit(visible_mask)(there, missed - there))
  theirs = reference.visible_mask(
    parity_torch.to_tensor(there), parity_torch.to_tensor(missed - there)
  )
  np.testing.assert_array_equal(ours, parity_torch.to_array(theirs))
  assert all(0.2 < share < 0.9 for share in ours.mean(axis=(1, 2, 3)))


def test_pair_hole_mask():
  """Sparse holes, so that the bilinear footprint of single pixels shows."""
  draw = np.random.RandomState(4)
  first, second = (draw.uniform(size=(2, *SHAPE, 1)) < 0.02).astype(float)
  flow = _fractional_flow()
  with parity_jax.precision(64):
    ours = np.asarray(jax.jit(pair_hole_mask)(first, second, flow))
  theirs = reference.pair_hole_mask(
    *(parity_torch.to_tensor(x) for x in (first, second, flow))
  )
  np.testing.assert_array_equal(ours, parity_torch.to_array(theirs))
  assert first.mean() < ours.mean() < 0.3


def test_image_loss(compare):
  hole = _mask(1)
  _check(
    compare,
    lambda output, frames: losses.masked_l2_loss(output, frames, jnp.asarray(hole)),
    lambda output, frames: reference.image_loss(
      output, frames, parity_torch.to_tensor(hole)
    ),
    (_draw(3), _draw(3, seed=1)),
  )


def test_flow_loss(compare):
  masks = (_mask(1), _mask(2))
  _check(
    compare,
    lambda flow, known: losses.flow_loss(flow, known, *map(jnp.asarray, masks)),
    lambda flow, known: reference.flow_loss(
      flow, known, *map(parity_torch.to_tensor, masks)
    ),
    (_draw(2), _draw(2, seed=1)),
  )


def test_consistency_loss(compare):
  """Gradients reach frame j and the flow, and never frame i."""
  hole = _mask(1)

  def ours(output_i, output_j, flow):
    warped, in_bounds = backward_warp(output_j, flow)
    return losses.consistency_loss(warped, output_i, jnp.asarray(hole), in_bounds)

  _check(
    compare,
    ours,
    lambda *arguments: reference.consistency_loss(
      *arguments, parity_torch.to_tensor(hole)
    ),
    (_draw(3), _draw(3, seed=1), _fractional_flow()),
  )


def test_perceptual_loss(compare):
  shapes = [(3, 20, 28), (3, 10, 14), (3, 5, 7)]
  channels = (4, 6, 8)
  masks = [_mask(seed, shape=shape) for seed, shape in enumerate(shapes)]
  outputs, known = (
    [_draw(c, seed=seed, shape=s) for c, s in zip(channels, shapes, strict=True)]
    for seed in (5, 6)
  )
  _check(
    compare,
    lambda out, known: losses.perceptual_loss(out, known, parity_jax.as_jax(masks)),
    lambda out, known: reference.perceptual_loss(
      out, known, [parity_torch.to_tensor(mask) for mask in masks]
    ),
    (outputs, known),
  )
