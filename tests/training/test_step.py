"""One update and the scan over updates, as another program would use them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.training.batching import take_batch
from dipvid_jax.training.fit import make_fit_visits
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.objective import Loss, make_losses
from dipvid_jax.training.step import TrainState, fit_batch, make_train_step
from dipvid_jax.types import Outputs
from tests.support import oracles
from tests.support.synthetic import PixelGenerator, device_clip

COUNT, SIZE, STRIDES = 9, (5, 6), (1, 2)
MODEL = PixelGenerator(flow_channels=8)
LOSSES = make_losses(flow_weight=0.5, perceptual_weight=0.0)


@pytest.fixture(scope="module")
def batch():
  where = map(np.int32, (1, 1, 0))
  batch = take_batch(device_clip(COUNT, SIZE, STRIDES), *where, batch_size=4)
  return jax.tree.map(np.asarray, batch)


def start(optimizer, *, model=MODEL, seed=0, sample=(1, *SIZE, 1)):
  """A fresh state in NumPy, whose buffers cannot be donated."""
  state = create_train_state(
    jax.random.key(seed), model=model, optimizer=optimizer, sample=jnp.zeros(sample)
  )
  return jax.tree.map(np.asarray, state)


def widen(tree):
  """Floating-point arrays in float64."""
  return jax.tree.map(
    lambda x: np.float64(x) if np.issubdtype(x.dtype, np.floating) else x, tree
  )


def assert_close(actual, expected, **tolerance):
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, **tolerance), actual, expected
  )


def test_a_fresh_state_has_no_updates_and_depends_on_its_key():
  optimizer = optax.adam(0.01)
  state = start(optimizer)
  assert state.step == 0 and state.step.dtype == np.int32
  assert_close(state.opt_state, optimizer.init(state.params))
  assert_close(start(optimizer).params, state.params, rtol=0)
  other = start(optimizer, seed=1).params["heads"]["kernel"]
  assert (other != state.params["heads"]["kernel"]).all()


def test_a_state_can_be_created_inside_jit_vmap_and_eval_shape():
  def create(key):
    return create_train_state(
      key, model=MODEL, optimizer=optax.adam(0.01), sample=jnp.zeros((1, *SIZE, 1))
    )

  key, keys = jax.random.key(3), jax.random.split(jax.random.key(0), 2)
  expected = create(key)
  jitted = jax.jit(create)(key)
  assert_close(jitted.params, expected.params, rtol=1e-6)
  mapped = jax.eval_shape(jax.vmap(create), keys)
  assert mapped.params["heads"]["kernel"].shape == (2, 4, 11)


def test_an_update_follows_the_gradient_of_the_weighted_sum(batch):
  optimizer = optax.sgd(0.1)
  state = widen(start(optimizer))

  def total(params, batch):
    outputs = MODEL.apply({"params": params}, batch.noise)
    terms = {name: loss.function(outputs, batch) for name, loss in LOSSES.items()}
    return terms["image"] + 0.5 * terms["flow"] + terms["consistency"], terms

  step = make_train_step(MODEL, optimizer, losses=LOSSES)
  after, metrics = oracles.in_float64(step, state, widen(batch))
  (loss, terms), gradient = oracles.in_float64(
    jax.value_and_grad(total, has_aux=True), state.params, widen(batch)
  )
  expected = jax.tree.map(lambda p, g: p - 0.1 * g, state.params, gradient)
  assert_close(after.params, expected, rtol=1e-12)
  assert after.step == 1
  assert_close(metrics, {**terms, "loss": loss}, rtol=1e-12)
  assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


def python_scan(body, state, xs, *, length):
  """`lax.scan` for a debugger."""
  assert xs is None
  stacked = []
  for _ in range(length):
    state, metrics = body(state, None)
    stacked.append(metrics)
  return state, jax.tree.map(lambda *values: jnp.stack(values), *stacked)


def test_fit_batch_is_the_loop_of_its_updates(batch):
  step = jax.jit(make_train_step(MODEL, optax.adam(0.01), losses=LOSSES))
  state, batch = widen(start(optax.adam(0.01))), widen(batch)
  run = functools.partial(fit_batch, train_step=step, inner_steps=3)
  actual, metrics = oracles.in_float64(run, state, batch)
  with jax.enable_x64():
    looped = run(state, batch, scan=python_scan)
    expected, history = state, []
    for _ in range(3):
      expected, row = step(expected, batch)
      history.append(row)
    history, looped = jax.tree.map(np.asarray, (history, looped))
  assert_close(actual, expected, rtol=1e-10)
  assert_close(looped, (actual, metrics), rtol=1e-10)
  for name, values in metrics.items():
    assert values.shape == (3,)
    np.testing.assert_allclose(values, [row[name] for row in history], rtol=1e-10)
  assert actual.step == 3 and metrics["loss"][2] < metrics["loss"][0]


def test_train_step_goes_into_another_programs_scan_and_grad(batch):
  """Two updates inside the caller's loss, differentiated with respect to the input."""
  step = make_train_step(MODEL, optax.sgd(0.1), losses=LOSSES)
  state = start(optax.sgd(0.1))

  @jax.jit
  def loss_after_two_updates(noise):
    replaced = batch._replace(noise=noise)
    _, metrics = jax.lax.scan(lambda s, _: step(s, replaced), state, length=2)
    return metrics["loss"][-1]

  gradient = jax.grad(loss_after_two_updates)(batch.noise)
  assert gradient.shape == batch.noise.shape
  assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_a_loss_can_be_swapped_and_added(batch):
  def absolute(outputs, batch):
    return jnp.mean(jnp.abs(outputs.image - batch.frames) * (1 - batch.hole_mask))

  losses = {"image": Loss(2.0, absolute), "size": Loss(0.5, lambda o, b: o.flow.std())}
  step = make_train_step(MODEL, optax.sgd(0.1), losses=losses)
  state = start(optax.sgd(0.1))
  _, metrics = jax.jit(step)(state, batch)
  outputs = MODEL.apply({"params": state.params}, batch.noise)
  assert set(metrics) == {"image", "size", "loss"}
  np.testing.assert_allclose(metrics["image"], absolute(outputs, batch), rtol=1e-5)
  expected = 2 * metrics["image"] + 0.5 * metrics["size"]
  np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-6)


def test_nothing_relies_on_implicit_type_promotion(batch):
  model = EncoderDecoder(flow_channels=8, levels=1)
  optimizer = optax.sgd(0.1)  # optax's Adam itself promotes
  step = make_train_step(model, optimizer, losses=LOSSES)
  wide = jax.tree.map(lambda x: np.tile(x, (1, 2, 2, 1)) if x.ndim == 4 else x, batch)
  with jax.numpy_dtype_promotion("strict"):
    sample = jax.ShapeDtypeStruct(wide.noise.shape, jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), sample)["params"]
    state = TrainState(params, optimizer.init(params), jnp.int32(0))
    after, _ = jax.eval_shape(step, state, wide)
  assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(after.params))


@pytest.fixture(scope="module")
def flat_step():
  """An update of a small generator, compiled once."""
  model, optimizer = EncoderDecoder(flow_channels=8, levels=1), optax.sgd(0.1)
  state = start(optimizer, model=model, sample=(1, 8, 12, 1))
  step = jax.jit(make_train_step(model, optimizer, losses=LOSSES))
  return lambda batch: step(state, batch)


@pytest.mark.parametrize("hole", [0.0, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_flat_input_and_zero_flow_give_finite_updates(batch, flat_step, hole, noise):
  """Noise without variance, flat frames, still flow, an empty or a full hole."""

  def fill(array, value):
    return np.full((len(array), 8, 12, array.shape[-1]), value, np.float32)

  flat = batch._replace(
    noise=fill(batch.noise, noise),
    frames=fill(batch.frames, 0.5),
    hole_mask=fill(batch.hole_mask, hole),
    flow=fill(batch.flow, 0),
    flow_hole=fill(batch.flow_hole, hole),
    visible=fill(batch.visible, 1),
  )
  state, metrics = flat_step(flat)
  leaves = jax.tree.leaves((state, metrics))
  assert all(np.isfinite(leaf).all() for leaf in leaves)
  empty = metrics["consistency"] if hole == 0 else metrics["image"] + metrics["flow"]
  assert empty == 0


class RandomPixels(nn.Module):
  """Drops hidden features, and shifts the image by a number of another stream.

  Without a key for dropout, as in inference, neither.
  """

  @nn.compact
  def __call__(self, noise):
    """`[N, H, W, C]` to `Outputs`."""
    training = self.has_rng("dropout")
    hidden = nn.Dropout(0.5, deterministic=not training)(nn.Dense(8)(noise))
    image = nn.sigmoid(nn.Dense(3)(hidden))
    if training:
      image += 0.1 * jax.random.normal(self.make_rng("shift"), ())
    return Outputs(image=image, flow=image[..., :0])


@pytest.fixture(scope="module")
def random_step(batch):
  """An update that draws random numbers, compiled once, and its state."""
  losses, optimizer = {"image": LOSSES["image"]}, optax.sgd(0.1)
  step = jax.jit(make_train_step(RandomPixels(), optimizer, losses=losses))
  return step, start(optimizer, model=RandomPixels())


def test_a_key_reaches_the_model(batch, random_step):
  step, state = random_step
  keys = jax.random.split(jax.random.key(0), 2)
  without, first, again, other = (
    float(step(state, batch, key=key)[1]["image"])
    for key in (None, keys[0], keys[0], keys[1])
  )
  assert first == again
  assert len({without, first, other}) == 3


def test_each_update_of_a_batch_has_a_key_of_its_own(batch, random_step):
  """Which depends on the update's number, so that a resumed run draws the same."""
  step, state = random_step
  key = jax.random.key(3)
  _, metrics = fit_batch(
    state, batch, train_step=step, inner_steps=2, key=key, scan=python_scan
  )
  for number, value in enumerate(metrics["image"]):
    state, expected = step(state, batch, jax.random.fold_in(key, number))
    assert expected["image"] == value


def test_visits_take_a_key(batch, random_step):
  step, state = random_step
  clip, where = device_clip(COUNT, SIZE, STRIDES), np.int32([[1, 1, 0], [0, 0, 0]])
  fit_visits = make_fit_visits(step, batch_size=4)

  def values(key):
    copy = jax.tree.map(jnp.array, state)
    _, metrics = fit_visits(copy, clip, where, inner_steps=2, key=key)
    return np.asarray(metrics["image"])

  with_key = values(jax.random.key(0))
  assert with_key.shape == (4,)
  assert (values(jax.random.key(1)) != with_key).all()
  first = batch, jax.random.fold_in(jax.random.key(0), 0)
  np.testing.assert_allclose(step(state, *first)[1]["image"], with_key[0], rtol=1e-5)


def test_an_update_without_finite_gradients_can_be_left_out(batch):
  """By optax, which counts them; the metrics show the loss as it was."""
  optimizer = optax.apply_if_finite(optax.adam(0.1), max_consecutive_errors=5)
  losses = {"image": LOSSES["image"]}
  step = jax.jit(make_train_step(MODEL, optimizer, losses=losses))
  state = start(optimizer)
  broken = batch._replace(frames=np.full_like(batch.frames, np.nan))
  after, metrics = step(state, broken)
  assert np.isnan(metrics["loss"])
  assert_close(after.params, state.params, rtol=0)
  assert int(after.opt_state.notfinite_count) == 1 and after.step == 1
  healed, metrics = step(after, batch)
  assert np.isfinite(metrics["loss"]) and int(healed.opt_state.notfinite_count) == 0
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(healed.params))


def test_losses_and_warp_have_forward_mode_derivatives(batch):
  """In float64, against differences."""

  def total(flow, batch):
    outputs = Outputs(image=batch.frames[::-1], flow=flow)
    return sum(loss.function(outputs, batch) for loss in LOSSES.values())

  def slope_along(flow, direction, batch):
    return jax.jvp(lambda x: total(x, batch), (flow,), (direction,))[1]

  batch = widen(batch)
  flow = np.random.default_rng(0).normal(size=(4, *SIZE, 8)) / 3
  direction = np.random.default_rng(1).normal(size=flow.shape)
  slope = oracles.in_float64(slope_along, flow, direction, batch)
  ahead, behind = (
    oracles.in_float64(total, flow + sign * 1e-7 * direction, batch) for sign in (1, -1)
  )
  np.testing.assert_allclose(slope, (ahead - behind) / 2e-7, rtol=1e-5)


def test_the_generator_has_reverse_mode_derivatives_alone(batch):
  """Its convolutions have gradients of their own; JAX says so in one line."""
  model = EncoderDecoder(levels=1)
  noise = jnp.zeros((1, 8, 12, 1))
  params = jax.eval_shape(model.init, jax.random.key(0), noise)["params"]

  def brightness(params):
    return model.apply({"params": params}, noise).image.mean()

  def forward(params):
    return jax.jvp(brightness, (params,), (params,))

  def curvature(params):
    """The Hessian times the parameters, reverse over reverse."""
    slope = jax.grad(brightness)
    return jax.grad(lambda p: optax.tree.vdot(slope(p), params))(params)

  with pytest.raises(TypeError, match=r"forward-mode autodiff \(jvp\).*custom_vjp"):
    jax.jit(forward).lower(params)
  shapes = jax.tree.map(jnp.shape, jax.eval_shape(curvature, params))
  assert shapes == jax.tree.map(jnp.shape, params)
