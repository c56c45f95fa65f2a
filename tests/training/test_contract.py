"""What the pieces refuse of a caller's program, while it is traced."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import dipvid_jax
from dipvid_jax.training.fit import make_fit_visits
from dipvid_jax.types import Outputs
from flow import estimate_video_flow
from tests.support.synthetic import PixelGenerator, device_clip

COUNT, SIZE, STRIDES = 6, (4, 6), (1, 2)
OPTIMIZER = optax.sgd(0.1)
WITH_FLOW = dipvid_jax.make_losses(perceptual_weight=0.0)
IMAGE = {"image": WITH_FLOW["image"]}
CLIP = device_clip(COUNT, SIZE, STRIDES)
# The generated flow of the last stride, backwards: the last two of eight channels.
LAST = dipvid_jax.take_batch(CLIP, 0, 1, 1, batch_size=3)

pytestmark = pytest.mark.usefixtures("own_checks")


def trace_update(model=None, *, losses=IMAGE, batch=LAST, flow_channels=8):
  """Traces an update; nothing is compiled."""
  model = model or PixelGenerator(flow_channels=flow_channels)
  step = dipvid_jax.make_train_step(model, OPTIMIZER, losses=losses)

  def update(batch):
    state = dipvid_jax.create_train_state(
      jax.random.key(0), model=model, optimizer=OPTIMIZER, sample=LAST.noise[:1]
    )
    return step(state, batch)[1]

  return jax.eval_shape(update, batch)


class OneArray(nn.Module):
  @nn.compact
  def __call__(self, noise):
    return nn.Dense(3)(noise)


class RunningAverages(nn.Module):
  @nn.compact
  def __call__(self, noise):
    image = nn.BatchNorm(use_running_average=False)(nn.Dense(3)(noise))
    return Outputs(image=image, flow=image[..., :0])


class Constant(nn.Module):
  def __call__(self, noise):
    return Outputs(image=noise, flow=noise[..., :0])


def a_loss(value):
  return {"mine": dipvid_jax.Loss(1.0, lambda outputs, batch: value(outputs))}


@pytest.mark.parametrize(
  ("change", "error", "words"),
  [
    (
      {"model": OneArray()},
      TypeError,
      r"must return Outputs\(image, flow\), got an array float32\[3, 4, 6, 3\]",
    ),
    (
      {"model": RunningAverages()},
      ValueError,
      "keeps batch_stats beside its parameters.*GroupNorm",
    ),
    ({"model": Constant()}, ValueError, "no parameters"),
    ({"losses": {}}, ValueError, "at least one loss"),
    ({"losses": {"loss": IMAGE["image"]}}, ValueError, "named 'loss' would hide"),
    (
      {"losses": {"mine": lambda outputs, batch: outputs.image.mean()}},
      TypeError,
      r"'mine' must be Loss\(weight, function\), got a function",
    ),
    (
      {"losses": a_loss(lambda outputs: (outputs.image.mean(), {}))},
      TypeError,
      "'mine' must return a scalar, got a tuple",
    ),
    (
      {"losses": a_loss(lambda outputs: outputs.image)},
      TypeError,
      r"'mine' must return a scalar, got an array float32\[3, 4, 6, 3\]",
    ),
    (
      {"losses": a_loss(lambda outputs: None)},
      TypeError,
      "'mine' must return a scalar, got a NoneType",
    ),
    (
      {"batch": LAST._replace(frames=LAST.frames.astype(jnp.uint8))},
      TypeError,
      r"frames must be float, got uint8; divide by 255",
    ),
    (
      {"batch": LAST._replace(noise=LAST.noise.astype(jnp.int32))},
      TypeError,
      r"noise must be float, got int32",
    ),
    (
      {"batch": LAST._replace(hole_mask=LAST.hole_mask.astype(jnp.uint8))},
      TypeError,
      "hole_mask must be float from 0 to 1, or bool, got uint8",
    ),
  ],
)
def test_what_does_not_fit_is_refused(change, error, words):
  with pytest.raises(error, match=words):
    trace_update(**change)


@pytest.mark.parametrize(
  "change",
  [
    {"losses": a_loss(lambda outputs: 0.5)},
    {"losses": a_loss(lambda outputs: np.float32(0.5))},
    {"batch": LAST._replace(hole_mask=LAST.hole_mask > 0)},
    {"losses": WITH_FLOW},
  ],
)
def test_what_fits_is_taken(change):
  assert trace_update(**change)["loss"].shape == ()


@pytest.mark.parametrize("flow_channels", [0, 4, 6])
@pytest.mark.parametrize("name", ["flow", "consistency"])
def test_flow_that_is_not_generated_is_refused(name, flow_channels):
  """Also where the place of the batch is traced, as in every scan."""
  losses = {name: WITH_FLOW[name]}
  words = f"generates {flow_channels} channels of flow.*needs 8, 2 for each"
  with pytest.raises(ValueError, match=words):
    trace_update(losses=losses, flow_channels=flow_channels)
  model = PixelGenerator(flow_channels=flow_channels)
  step = dipvid_jax.make_train_step(model, OPTIMIZER, losses=losses)
  state = dipvid_jax.create_train_state(
    jax.random.key(0), model=model, optimizer=OPTIMIZER, sample=LAST.noise[:1]
  )
  fit_visits = make_fit_visits(step, batch_size=3)
  with pytest.raises(ValueError, match=words):
    fit_visits(state, CLIP, np.zeros((1, 3), np.int32), inner_steps=1)


def test_a_batch_whose_place_is_known_needs_its_own_channels_alone():
  forward = dipvid_jax.take_batch(CLIP, 0, 0, 0, batch_size=3)
  outputs = Outputs(image=LAST.frames, flow=LAST.frames[..., :2])
  np.testing.assert_array_equal(
    dipvid_jax.pair_flow(outputs, forward), outputs.flow[:-1]
  )
  with pytest.raises(ValueError, match="needs 8"):
    dipvid_jax.pair_flow(outputs, LAST)


def test_the_perceptual_loss_says_what_its_batch_lacks():
  vgg = ({"kernel": np.zeros((3, 3, 3, 2)), "bias": np.zeros(2)},)
  losses = dipvid_jax.make_losses(
    image_weight=0, flow_weight=0, consistency_weight=0, vgg=vgg
  )
  with pytest.raises(ValueError, match=r"no known features.*add_known_features\("):
    trace_update(losses=losses)
  bare = dipvid_jax.make_losses(
    image_weight=0, flow_weight=0, consistency_weight=0, vgg=()
  )
  with pytest.raises(ValueError, match="neither the batch nor make_losses has VGG16"):
    trace_update(losses=bare)


def test_an_objective_without_a_loss_is_refused():
  nothing = dict.fromkeys(
    ("image_weight", "flow_weight", "consistency_weight", "perceptual_weight"), 0.0
  )
  with pytest.raises(ValueError, match=r"every weight is 0.*dict of Loss"):
    dipvid_jax.make_losses(**nothing)


BYTES = np.zeros((2, 4, 6, 3), np.uint8)
MASK = np.zeros((2, 4, 6, 1), np.float32)


@pytest.mark.parametrize(
  "call",
  [
    lambda: dipvid_jax.masked_l2_loss(BYTES, BYTES, MASK),
    lambda: dipvid_jax.masked_l2_loss(BYTES / 255, BYTES, MASK),
    lambda: dipvid_jax.consistency_loss(BYTES, BYTES, MASK, MASK),
    lambda: dipvid_jax.vgg16_features((), jnp.asarray(BYTES)),
    lambda: dipvid_jax.hole_psnr(BYTES, BYTES, MASK + 1),
    lambda: estimate_video_flow(BYTES, strides=(1,)),
    lambda: dipvid_jax.put_clip(BYTES, MASK, noise=MASK),
  ],
)
def test_frames_of_bytes_are_refused(call):
  with pytest.raises((TypeError, ValueError), match=r"must be float.*divide by 255"):
    call()


def test_masks_of_bytes_are_refused_by_a_loss():
  with pytest.raises(TypeError, match="masked_l2_loss: a mask must be float"):
    dipvid_jax.masked_l2_loss(BYTES / 255, BYTES / 255, np.uint8(255 * MASK))
