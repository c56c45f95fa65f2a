"""The optimiser: Adam, its learning rate over the run, the average of its way."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dipvid_jax.step import Params, TrainState


class ParameterAverage(NamedTuple):
  """State of `average_parameters`.

  Attributes:
    updates: scalar int32, how many it has seen.
    parameter_average: as the parameters; they themselves before the first update.
  """

  updates: jax.Array
  parameter_average: Params


def make_optimizer(
  learning_rate: float,
  *,
  updates: int,
  schedule: str = "constant",
  parameter_average: float = 0.0,
) -> optax.GradientTransformation:
  """Adam with its defaults, as the authors.

  Args:
    learning_rate: of the first update.
    updates: of a network, in all.
    schedule: "constant", or "cosine", which falls to 0 at the end.
    parameter_average: decay of `average_parameters`; 0 averages nothing.

  Returns:
    The optimiser; its state holds the average.
  """
  rate: Any = learning_rate
  if schedule == "cosine":
    rate = optax.cosine_decay_schedule(learning_rate, updates)
  adam = optax.adam(rate)
  if not parameter_average:
    return adam
  return optax.chain(adam, average_parameters(parameter_average))


def average_parameters(decay: float) -> optax.GradientTransformation:
  """Keeps a moving average of the parameters; what passes through stays as it is.

  The weights of n updates fall by `decay` from the latest to the first, and their sum
  is 1: there is no bias to the parameters that the run began with.

  Args:
    decay: between 0 and 1, both excluded.

  Returns:
    The last link of a chain, whose updates are those that are applied.

  Reference: Kingma and Ba, Adam, ICLR 2015, sections 3 and 7.2.
  """

  def init(params):
    # Copies, because a fit donates the buffers of its whole state.
    return ParameterAverage(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params))

  def update(updates, state, params=None):
    if params is None:
      raise ValueError("averaging needs the parameters: update(grads, state, params)")
    count = state.updates + 1
    # (1 - decay) / (1 - decay^count), exact for a decay near 1, too.
    share = (1 - decay) / -jnp.expm1(count * math.log(decay))
    average = jax.tree.map(
      lambda mean, new: mean + share * (new - mean),
      state.parameter_average,
      optax.apply_updates(params, updates),
    )
    return updates, ParameterAverage(count, average)

  return optax.GradientTransformation(init, update)


def rendered_parameters(state: TrainState) -> Params:
  """The parameters that make the result: the average where the optimiser has one.

  Args:
    state: during or after the training.

  Returns:
    Parameters of the network.
  """
  average = optax.tree_utils.tree_get(state.opt_state, "parameter_average")
  return state.params if average is None else average
