"""Adam and its learning rate; the average of the parameters that makes the result."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.configuration import check_config, load_config
from dipvid_jax.errors import InputError
from dipvid_jax.optimization import (
  average_parameters,
  make_optimizer,
  rendered_parameters,
)
from dipvid_jax.pipeline import inpaint_video
from dipvid_jax.program import build_program
from dipvid_jax.step import TrainState
from dipvid_jax.training_clip import make_training_clip
from tests.synthetic import moving_hole, translating_clip

COUNT, SIZE = 6, (12, 16)
FRAMES, HOLES = translating_clip(COUNT, SIZE, step=(1, 0)), moving_hole(COUNT, SIZE)


def descend(optimizer, updates=5):
  """Parameters after each update, and the state after the last."""
  params = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(3.0)}
  state, way = optimizer.init(params), []
  for n in range(updates):
    grads = jax.tree.map(lambda p, n=n: p * (n + 1), params)
    change, state = optimizer.update(grads, state, params)
    params = optax.apply_updates(params, change)
    way.append(params)
  return way, TrainState(params, state, jnp.int32(updates))


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99999])
def test_the_average_weighs_the_latest_most_and_the_first_parameters_not_at_all(decay):
  optimizer = optax.chain(optax.sgd(0.1), average_parameters(decay))
  way, state = descend(optimizer)
  weights = decay ** np.arange(len(way) - 1, -1, -1.0)
  weights /= weights.sum()
  average = rendered_parameters(state)
  for name in ("a", "b"):
    expected = sum(w * np.asarray(p[name]) for w, p in zip(weights, way, strict=True))
    np.testing.assert_allclose(average[name], expected, rtol=1e-5)


def test_averaging_changes_nothing_of_the_training():
  plain, state = descend(make_optimizer(0.01, updates=5))
  averaged, other = descend(make_optimizer(0.01, updates=5, parameter_average=0.9))
  jax.tree.map(np.testing.assert_array_equal, averaged, plain)
  assert rendered_parameters(state) is state.params
  assert (rendered_parameters(other)["a"] != other.params["a"]).all()


def test_without_an_average_it_is_plain_adam():
  """Also in the structure of its state, which is in every checkpoint."""
  params = {"a": jnp.zeros(3)}
  ours, adam = make_optimizer(0.01, updates=5).init(params), optax.adam(0.01)
  assert jax.tree.structure(ours) == jax.tree.structure(adam.init(params))


def test_before_the_first_update_the_average_is_where_it_begins():
  optimizer = make_optimizer(0.01, updates=5, parameter_average=0.9)
  _, state = descend(optimizer, updates=0)
  jax.tree.map(np.testing.assert_array_equal, rendered_parameters(state), state.params)


def test_averaging_needs_the_parameters():
  link = average_parameters(0.9)
  with pytest.raises(ValueError, match="needs the parameters"):
    link.update(jnp.ones(2), link.init(jnp.ones(2)))


def small_config(**values):
  config = load_config("vid")
  small = {"levels": 1, "schedule": "shuffled", "batches_per_round": 2, "rounds": 2}
  config.update({**small, "inner_steps": 1, **values})
  return config


def run(config, *, resume_from=None):
  states = []
  result = inpaint_video(
    *(FRAMES, HOLES),
    config=config,
    resume_from=resume_from,
    on_round=lambda visit, state, result: states.append(jax.device_get(state)),
  )
  return result.full, states


def test_a_run_is_rendered_from_the_average_and_resumes_with_it():
  """The average goes with the state: donated, kept in a checkpoint, taken up again."""
  config = small_config(parameter_average=0.9)
  full, states = run(config)
  program = build_program(COUNT, config=config)
  clip = make_training_clip(FRAMES, HOLES, (), config=config).device
  unaveraged = states[-1]._replace(opt_state=())
  averaged = unaveraged._replace(params=rendered_parameters(states[-1]))
  np.testing.assert_array_equal(program.render(averaged, clip).image, full)
  assert (program.render(unaveraged, clip).image != full).any()
  resumed, later = run(config, resume_from=lambda fresh: states[0])
  np.testing.assert_array_equal(resumed, full)
  jax.tree.map(np.testing.assert_array_equal, later[-1], states[-1])


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_is_between_0_and_1(decay):
  with pytest.raises(InputError, match=r"config\.parameter_average: must be from 0"):
    check_config(small_config(parameter_average=decay))


def test_networks_of_single_frames_are_not_averaged():
  config = load_config("dip")
  config.parameter_average = 0.99
  with pytest.raises(InputError, match=r"config\.parameter_average: schedule=\"frames"):
    check_config(config)
