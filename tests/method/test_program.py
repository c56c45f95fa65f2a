"""What a config builds: strides, schedule, network, learning rate."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.method.program import (
  build_program,
  build_visits,
  clip_strides,
  flow_strides,
)
from dipvid_jax.method.recipes import load_config
from dipvid_jax.training.schedule import make_schedule


def small_config(**values):
  config = load_config("flow", **{"levels": 1, "perceptual_weight": 0.0, **values})
  return config


@pytest.mark.parametrize(
  ("frame_count", "expected"), [(21, (1, 3, 5)), (14, (1, 3)), (12, (1,)), (5, (1,))]
)
def test_a_short_clip_drops_the_strides_without_a_batch(frame_count, expected):
  config = small_config()
  assert clip_strides(frame_count, config=config) == expected
  program = build_program(frame_count, config=config)
  assert program.model.flow_channels == 4 * len(expected)
  assert {visit.stride_index for visit in program.visits} == set(range(len(expected)))


def test_known_flow_is_wanted_at_the_strides_that_are_read():
  assert flow_strides(14, config=small_config()) == (1, 3)
  assert flow_strides(14, config=load_config("fast")) == (1,)
  assert flow_strides(14, config=load_config("vid")) == ()


@pytest.mark.parametrize("build", [clip_strides, build_visits, build_program])
def test_a_clip_shorter_than_a_batch_is_refused(build):
  with pytest.raises(InputError, match="4 frames; a batch of 5 at stride 1 needs 5"):
    build(4, config=small_config())


def test_the_default_is_the_authors_schedule():
  assert build_visits(80, config=load_config("flow")) == make_schedule(
    80, strides=(1, 3, 5), rounds=20, batches_per_round=50, inner_steps=100, seed=0
  )


@pytest.mark.parametrize("key", ["flow_weight", "consistency_weight"])
def test_a_network_without_a_flow_loss_makes_none(key):
  config = small_config(flow_weight=0.0, consistency_weight=0.0)
  assert not config.losses.generates_flow
  assert build_program(6, config=config).model.flow_channels == 0
  config = config.replace(**{key: 0.1})
  assert config.losses.generates_flow
  assert build_program(6, config=config).model.flow_channels == 4


def size_of_update(program, *, done):
  """Adam's step for a steady gradient after so many updates: the learning rate."""
  params, gradient = jnp.zeros(()), jnp.ones(())
  state = program.optimizer.init(params)
  for _ in range(done + 1):
    update, state = program.optimizer.update(gradient, state, params)
  return -float(update)


def test_the_learning_rate_is_constant_or_falls_to_zero_at_the_end():
  updates = {"rounds": 1, "batches_per_round": 1, "inner_steps": 5}  # and the median
  constant = build_program(6, config=small_config(**updates))
  assert sum(visit.updates for visit in constant.visits) == 10
  for done in (0, 9):
    assert size_of_update(constant, done=done) == pytest.approx(0.01, rel=1e-4)
  cosine = small_config(learning_rate_schedule="cosine", **updates)
  program = build_program(6, config=cosine)
  for done in (0, 5, 9):
    expected = 0.01 * (1 + np.cos(np.pi * done / 10)) / 2
    assert size_of_update(program, done=done) == pytest.approx(expected, rel=1e-4)


def test_the_optimiser_is_adam_with_its_defaults():
  """Betas 0.9 and 0.999, epsilon 1e-8: two updates with gradients of a tiny size."""
  ours = build_program(6, config=small_config()).optimizer
  state, written = ours.init(jnp.zeros(3)), optax.adam(0.01, 0.9, 0.999, 1e-8)
  other = written.init(jnp.zeros(3))
  for gradient in (jnp.array([1.0, 1e-8, -3.0]), jnp.array([-0.5, 2e-8, 0.0])):
    update, state = ours.update(gradient, state)
    expected, other = written.update(gradient, other)
    np.testing.assert_array_equal(update, expected)
