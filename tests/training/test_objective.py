"""The objective's terms on a batch: which pixels, channels and pairs they take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.networks.vgg import feature_hole_masks, vgg16_features
from dipvid_jax.training.objective import (
  add_known_features,
  consistency_term,
  flow_term,
  image_term,
  make_losses,
  pair_flow,
)
from dipvid_jax.types import Batch, Outputs
from tests.support import oracles

FRAMES, HEIGHT, WIDTH, CHANNELS = 4, 6, 8, 12
AREA = (HEIGHT, WIDTH)


def make_batch(*, channel=4, scale=2.5):
  generator = np.random.default_rng(0)

  def mask(frames, share):
    return (generator.random((frames, *AREA, 1)) < share) * 1.0

  return Batch(
    noise=generator.random((FRAMES, *AREA, 1)),
    frames=generator.random((FRAMES, *AREA, 3)),
    hole_mask=mask(FRAMES, 0.3),
    flow=generator.normal(size=(FRAMES - 1, *AREA, 2)),
    flow_hole=mask(FRAMES - 1, 0.4),
    visible=mask(FRAMES - 1, 0.8),
    flow_scale=np.float64(scale),
    flow_channel=np.int32(channel),
  )


@pytest.fixture
def batch():
  return make_batch()


@pytest.fixture
def outputs():
  generator = np.random.default_rng(1)
  return Outputs(
    image=generator.random((FRAMES, *AREA, 3)),
    flow=generator.normal(scale=0.5, size=(FRAMES, *AREA, CHANNELS)),
  )


def test_image_term_is_the_mean_over_observed_pixels_of_all_frames(outputs, batch):
  difference = (outputs.image - batch.frames) * (1 - batch.hole_mask)
  actual = oracles.in_float64(image_term, outputs, batch)
  np.testing.assert_allclose(actual, np.mean(difference**2), rtol=1e-13)


@pytest.mark.parametrize("channel", [0, 2, 4, 10])
def test_pair_flow_takes_dx_and_dy_of_all_frames_but_the_last(outputs, channel):
  expected = outputs.flow[:-1, ..., channel : channel + 2]
  actual = oracles.in_float64(pair_flow, outputs, make_batch(channel=channel))
  np.testing.assert_array_equal(actual, expected)


def test_flow_term_compares_in_network_units_where_visible(outputs, batch):
  generated = outputs.flow[:-1, ..., 4:6]
  difference = (generated - batch.flow) * (1 - batch.flow_hole) * batch.visible
  actual = oracles.in_float64(flow_term, outputs, batch)
  np.testing.assert_allclose(actual, np.mean(difference**2), rtol=1e-13)


def test_consistency_term_warps_the_next_frame_by_the_generated_flow(outputs, batch):
  pixels = outputs.flow[:-1, ..., 4:6] * batch.flow_scale
  warped, weights = oracles.warp(outputs.image[1:], pixels)
  in_bounds = weights >= 0.999
  difference = (warped - outputs.image[:-1]) * batch.flow_hole * in_bounds
  actual = oracles.in_float64(consistency_term, outputs, batch)
  np.testing.assert_allclose(actual, np.mean(difference**2), rtol=1e-12)
  assert 0.2 < in_bounds.mean() < 0.9


def gradient_of(term, outputs, batch):
  return oracles.in_float64(jax.grad(term), outputs, batch)


def test_consistency_moves_the_warped_frames_and_the_flow_not_the_reference(
  outputs, batch
):
  gradient = gradient_of(consistency_term, outputs, batch)
  # Frame 0 is only a reference; the later frames are also warped.
  assert (gradient.image[0] == 0).all()
  assert all(np.abs(frame).max() > 0 for frame in gradient.image[1:])
  # As the last pair's reference, frame 2 gets no gradient: without that pair, its
  # gradient is the same.
  fewer = batch._replace(flow_hole=batch.flow_hole * [[[[1.0]]], [[[1.0]]], [[[0.0]]]])
  np.testing.assert_allclose(
    gradient_of(consistency_term, outputs, fewer).image[2], gradient.image[2]
  )
  assert np.abs(gradient.flow[:-1, ..., 4:6]).max() > 0


@pytest.mark.parametrize("term", [flow_term, consistency_term])
def test_other_strides_and_directions_get_no_gradient(outputs, batch, term):
  gradient = gradient_of(term, outputs, batch).flow
  untouched = np.delete(gradient, [4, 5], axis=-1)
  assert (untouched == 0).all() and (gradient[-1] == 0).all()


@pytest.mark.parametrize("term", [flow_term, consistency_term])
@pytest.mark.parametrize("hole", [0.0, 1.0])
@pytest.mark.parametrize("flat", [True, False])
def test_gradients_are_finite_for_flat_images_and_zero_flow(outputs, term, hole, flat):
  batch = make_batch()
  batch = batch._replace(
    flow=np.zeros_like(batch.flow), flow_hole=np.full_like(batch.flow_hole, hole)
  )
  zero = np.zeros_like(outputs.flow)
  image = np.full_like(outputs.image, 0.5) if flat else outputs.image
  gradient = gradient_of(term, Outputs(image, zero), batch)
  assert all(np.isfinite(leaf).all() for leaf in gradient)


def small_vgg():
  """Weights of VGG16's shape, two channels wide."""
  generator = np.random.default_rng(2)
  return tuple(
    {"kernel": generator.normal(size=(3, 3, inputs, 2)), "bias": np.zeros(2)}
    for inputs in (3, *6 * [2])
  )


@pytest.mark.parametrize("convention", ["authors", "imagenet"])
def test_perceptual_term_compares_with_the_known_frames(outputs, batch, convention):
  def term(outputs, batch):
    vgg = small_vgg()
    losses = make_losses(vgg=vgg, vgg_input=convention)
    batch = add_known_features(batch, vgg=vgg, vgg_input=convention)
    return losses["perceptual"].function(outputs, batch)

  def expected(outputs, batch):
    vgg, total = small_vgg(), 0.0
    layers = zip(
      vgg16_features(vgg, outputs.image, convention=convention),
      vgg16_features(vgg, batch.frames, convention=convention),
      feature_hole_masks(batch.hole_mask),
      strict=True,
    )
    for ours, known, hole in layers:
      total += jnp.mean(jnp.square((ours - known) * (1 - hole)))
    return total

  batch = batch._replace(hole_mask=np.zeros_like(batch.hole_mask))
  batch.hole_mask[0, 0, 0] = 1
  np.testing.assert_allclose(
    oracles.in_float64(term, outputs, batch),
    oracles.in_float64(expected, outputs, batch),
    rtol=1e-12,
  )


def test_weights_that_a_batch_brings_come_first(outputs, batch):
  def term(outputs, batch, own, brought):
    losses = make_losses(vgg=own)
    batch = add_known_features(batch, vgg=small_vgg())._replace(vgg=brought)
    return losses["perceptual"].function(outputs, batch)

  others = tuple({"kernel": 0 * x["kernel"], "bias": x["bias"]} for x in small_vgg())
  values = [
    oracles.in_float64(term, outputs, batch, *weights)
    for weights in ((small_vgg(), ()), (others, small_vgg()), (others, ()))
  ]
  assert values[0] == values[1] != values[2]


def test_the_known_frames_have_features_and_holes_at_each_layer():
  def prepare(batch, vgg):
    return add_known_features(batch, vgg=vgg)

  batch = oracles.in_float64(prepare, make_batch(), small_vgg())
  assert [layer.shape for layer in batch.features] == [
    (4, 6, 8, 2),
    (4, 3, 4, 2),
    (4, 1, 2, 2),
  ]
  assert [hole.shape[-1] for hole in batch.feature_holes] == [1, 1, 1]


def test_the_default_weights_are_the_papers():
  losses = make_losses(vgg=small_vgg())
  weights = {name: loss.weight for name, loss in losses.items()}
  assert weights == {"image": 1, "flow": 0.1, "consistency": 1, "perceptual": 0.01}


@pytest.mark.parametrize("name", ["image", "flow", "consistency", "perceptual"])
def test_a_term_of_weight_zero_is_left_out(name):
  losses = make_losses(vgg=small_vgg(), **{f"{name}_weight": 0.0})
  assert set(losses) == {"image", "flow", "consistency", "perceptual"} - {name}


def test_only_the_perceptual_term_needs_vgg():
  assert "perceptual" not in make_losses(perceptual_weight=0.0)
  with pytest.raises(ValueError, match=r"vgg=load_vgg16\(\)"):
    make_losses()
