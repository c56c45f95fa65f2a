"""Training over visits: compiled once, nothing crosses to the host, stops at NaN."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.errors import DivergedError
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.training.batching import take_batch
from dipvid_jax.training.fit import fit, group_visits, make_fit_visits
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.objective import Loss, image_term, make_losses
from dipvid_jax.training.schedule import FORWARD, Visit
from dipvid_jax.training.step import TrainState, make_train_step
from dipvid_jax.types import Outputs
from tests.support.compiled import convolutions, is_canonical
from tests.support.synthetic import PixelGenerator, device_clip

COUNT, SIZE, STRIDES, BATCH_SIZE = 9, (8, 12), (1, 2), 4
OPTIMIZER = optax.sgd(0.1, momentum=0.9)  # has a state and compiles faster than Adam
MODEL = PixelGenerator(flow_channels=8)
LOSSES = make_losses(perceptual_weight=0.0)


@pytest.fixture(scope="module")
def clip():
  return device_clip(COUNT, SIZE, STRIDES)


def start(model=MODEL):
  return create_train_state(
    jax.random.key(0), model=model, optimizer=OPTIMIZER, sample=jnp.zeros((1, *SIZE, 1))
  )


def program(losses=LOSSES, **settings):
  step = make_train_step(MODEL, OPTIMIZER, losses=losses)
  return make_fit_visits(step, batch_size=BATCH_SIZE, **settings)


@pytest.fixture(scope="module")
def fit_visits():
  return program()


def on_device(*batches):
  """`[K, 3]`: (start, stride index, direction) of each batch."""
  return jnp.array(batches, jnp.int32)


def test_one_compilation_serves_every_batch(clip):
  traced = []

  def counting(outputs, batch):
    traced.append(batch)
    return image_term(outputs, batch)

  fit_visits = program({**LOSSES, "image": Loss(1.0, counting)})
  visits = [
    Visit(first, index, direction, 2, 0)
    for index, t in enumerate(STRIDES)
    for first in (0, COUNT - 1 - (BATCH_SIZE - 1) * t)
    for direction in (0, 1)
  ]
  state = fit(start(), clip, visits=visits, fit_visits=fit_visits)
  assert state.step == 2 * len(visits)
  assert fit_visits.func._cache_size() == 1 and len(traced) == 1


def test_a_visit_needs_nothing_from_the_host(clip, fit_visits):
  state = start()
  batches = on_device((0, 1, 1), (2, 0, 0))
  with jax.transfer_guard("disallow"):
    state, metrics = fit_visits(state, clip, batches, inner_steps=3)
    jax.block_until_ready(metrics)
  assert metrics["loss"].shape == (6,)


def test_a_visit_never_leaves_the_device_nor_the_fast_convolutions(clip):
  """In the real network's scan every convolution stays in the canonical form."""
  model = EncoderDecoder(flow_channels=8, levels=1)
  step = make_train_step(model, OPTIMIZER, losses=LOSSES)
  fit_visits = make_fit_visits(step, batch_size=BATCH_SIZE)
  shapes = jax.eval_shape(lambda: start(model))
  arguments = (*fit_visits.args, shapes, clip, on_device((0, 0, 0)))
  lowered = fit_visits.func.lower(*arguments, inner_steps=3)
  text = lowered.compile().as_text()
  found = convolutions(text)
  # 5x5, 5x5 and 3x3: three values, three kernels' and two inputs' gradients.
  assert len(found) >= 3 + 3 + 2
  assert all(map(is_canonical, found)), found
  assert " while(" in text
  assert not re.search(r"custom_call_target=\"[^\"]*callback", text)
  assert not re.search(r" (infeed|outfeed|send|recv)\(", text)


def test_the_state_is_donated(clip, fit_visits):
  state = start()
  after, _ = fit_visits(state, clip, on_device((0, 0, 0)), inner_steps=3)
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
  assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((after, clip)))


def test_visits_train_on_the_batches_of_their_indices(clip, fit_visits):
  batches = (1, 1, 1), (2, 0, 0)
  step = jax.jit(make_train_step(MODEL, OPTIMIZER, losses=LOSSES))
  state, expected = start(), []
  for where in batches:
    batch = take_batch(clip, *where, batch_size=BATCH_SIZE)
    for _ in range(3):
      state, row = step(state, batch)
      expected.append(row)
  _, metrics = fit_visits(start(), clip, on_device(*batches), inner_steps=3)
  for name, values in metrics.items():
    np.testing.assert_allclose(values, [row[name] for row in expected], rtol=1e-4)


def test_a_prepared_batch_serves_all_its_updates(clip):
  def halve(batch):
    return batch._replace(features=(batch.frames / 2,))

  def compare(outputs, batch):
    return jnp.mean(jnp.square(outputs.image - batch.features[0]))

  fit_visits = program({"half": Loss(1.0, compare)}, prepare_batch=halve)
  _, metrics = fit_visits(start(), clip, on_device((0, 0, 0)), inner_steps=3)
  batch = take_batch(clip, 0, 0, 0, batch_size=BATCH_SIZE)
  outputs = MODEL.apply({"params": start().params}, batch.noise)
  expected = compare(outputs, halve(batch))
  np.testing.assert_allclose(metrics["half"][0], expected, rtol=1e-5)


def test_fit_reports_visits_and_rounds_in_order(clip, fit_visits):
  visits = [
    Visit(0, 0, 0, 3, 0),
    Visit(1, 1, 1, 3, 0, ends_round=True),
    Visit(2, 0, 1, 3, 1, ends_round=True),
  ]
  events, losses = [], []

  def on_visit(visit, metrics, state):
    events.append(("visit", visit))
    assert isinstance(metrics["loss"], np.ndarray)
    losses.append(metrics["loss"])

  def on_round(visit, state):
    events.append(("round", visit, int(state.step)))

  state = fit(
    start(),
    clip,
    visits=visits,
    fit_visits=fit_visits,
    on_visit=on_visit,
    on_round=on_round,
  )
  assert events == [
    ("visit", visits[0]),
    ("visit", visits[1]),
    ("round", visits[1], 6),
    ("visit", visits[2]),
    ("round", visits[2], 9),
  ]
  assert state.step == 9
  assert all(values.shape == (3,) for values in losses)


def test_several_visits_in_a_call_are_the_same_updates(clip, fit_visits):
  """Reported once for each call, which never reaches beyond a round."""
  visits = [Visit(first, 0, 0, 3, first // 3, first == 2) for first in range(5)]

  def report(size):
    events, losses = [], []

    def on_visit(visit, metrics, state):
      events.append(("visit", visit.start))
      losses.append(metrics["loss"])

    fit(
      start(),
      clip,
      visits=visits,
      fit_visits=fit_visits,
      batches_per_call=size,
      on_visit=on_visit,
      on_round=lambda visit, state: events.append(("round", int(state.step))),
    )
    return events, np.concatenate(losses)

  _, one_by_one = report(1)
  events, losses = report(2)
  np.testing.assert_array_equal(losses, one_by_one)
  assert events == [("visit", 1), ("visit", 2), ("round", 9), ("visit", 4)]


def test_visits_are_grouped_within_a_round_by_their_updates():
  updates = [5, 5, 5, 5, 5, 5, 2, 3]
  visits = [
    Visit(i, 0, 0, count, 0, ends_round=i == 3) for i, count in enumerate(updates)
  ]
  groups = [[visit.start for visit in group] for group in group_visits(visits, 3)]
  assert groups == [[0, 1, 2], [3], [4, 5], [6], [7]]
  assert list(group_visits([], 3)) == []


def test_no_visits_leave_the_state_as_it_is(clip, fit_visits):
  state = start()
  assert fit(state, clip, visits=[], fit_visits=fit_visits) is state


class Counter(nn.Module):
  """One parameter that grows by one in each update, under the loss below."""

  @nn.compact
  def __call__(self, noise):
    """The parameter as every pixel."""
    value = self.param("value", nn.initializers.zeros, ())
    image = jnp.broadcast_to(value, (*noise.shape[:3], 3))
    return Outputs(image=image, flow=image[..., :2])


def counting_losses(**breaks_after):
  """Losses by name that stop being finite after a number of updates."""

  def broken(limit, value):
    return lambda outputs, batch: jnp.where(
      outputs.image[0, 0, 0, 0] < limit, 1.0, value
    )

  falling = Loss(1.0, lambda outputs, batch: -outputs.image[0, 0, 0, 0])
  return {"growth": falling} | {
    name: Loss(1.0, broken(limit, value))
    for name, (limit, value) in breaks_after.items()
  }


def fit_counter(clip, losses, *, updates=4, **settings):
  step = make_train_step(Counter(), optax.sgd(1.0), losses=losses)
  state = create_train_state(
    jax.random.key(0), model=Counter(), optimizer=optax.sgd(1.0), sample=clip.noise
  )
  visits = [
    Visit(1, 0, FORWARD, updates, 0, ends_round=True),
    Visit(2, 1, FORWARD, updates, 1),
    Visit(3, 0, FORWARD, updates, 1),
  ]
  fit_visits = make_fit_visits(step, batch_size=BATCH_SIZE)
  return fit(state, clip, visits=visits, fit_visits=fit_visits, **settings)


@pytest.mark.parametrize("value", [np.nan, np.inf])
# "perceptual" comes after "loss" in the alphabet, "flow" before it.
@pytest.mark.parametrize("name", ["flow", "perceptual"])
def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(clip, name, value):
  seen, rounds = [], []
  with pytest.raises(DivergedError) as error:
    fit_counter(
      clip,
      counting_losses(**{name: (6, value)}),
      on_visit=lambda visit, *_: seen.append(visit.start),
      on_round=lambda visit, _: rounds.append(visit.start),
    )
  line = str(error.value)
  assert f"the {name} loss became {value} at update 3 of the batch" in line
  assert "starts at frame 2 (round 2)" in line and "learning_rate" in line
  assert seen == rounds == [1]


def test_the_visit_is_named_within_a_call_of_several(clip):
  with pytest.raises(
    DivergedError, match="update 2 of the batch that starts at frame 3"
  ):
    fit_counter(clip, counting_losses(flow=(9, np.nan)), batches_per_call=2)


def test_the_first_loss_to_break_is_named(clip):
  with pytest.raises(DivergedError, match="the image loss became nan at update 2 "):
    fit_counter(clip, counting_losses(consistency=(3, np.inf), image=(1, np.nan)))


def test_losses_that_stay_finite_do_not_stop_it(clip):
  state = fit_counter(clip, counting_losses(image=(100, np.nan)))
  assert isinstance(state, TrainState) and state.params["value"] == 12
