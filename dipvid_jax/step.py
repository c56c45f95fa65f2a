"""One update, and the scan over the updates of a batch."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dipvid_jax.objective import Losses
from dipvid_jax.types import Batch, Outputs

Params = Any
Metrics = dict[str, jax.Array]


class TrainState(NamedTuple):
  """What changes from update to update.

  Attributes:
    params: the network's parameters.
    opt_state: the optimiser's state, carried on from batch to batch.
    step: scalar int32, updates done.
  """

  params: Params
  opt_state: optax.OptState
  step: jax.Array


TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def create_train_state(
  key: jax.Array,
  *,
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  sample: jax.Array,
) -> TrainState:
  """Draws parameters and starts the optimiser.

  Args:
    key: a PRNG key, consumed.
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    sample: `[N, H, W, C]`, a noise batch; only its shape and dtype matter.

  Returns:
    The state before the first update.
  """
  params = _init(model, key, sample)["params"]
  return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))


def _init(model, key, sample):
  init = jax.jit(model.init)
  if any(isinstance(x, jax.core.Tracer) for x in (key, sample)):
    return init(key, sample)
  options: dict[str, str | bool] = {}
  if jax.default_backend() == "cpu":
    # Dozens of random generators that run once: compiling them well takes longer.
    options["xla_backend_optimization_level"] = "0"
  return init.lower(key, sample).compile(compiler_options=options)(key, sample)


def make_train_step(
  model: nn.Module, optimizer: optax.GradientTransformation, *, losses: Losses
) -> TrainStep:
  """Makes the pure function of one update; `jit`, `scan` and `grad` are the caller's.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    losses: terms by name, each a weight and a function of (outputs, batch).

  Returns:
    `train_step(state, batch) -> (state, metrics)`; the metrics are scalars: each
    loss by name, unweighted, and `loss`, their weighted sum, before the update.

  Raises:
    ValueError: no losses.
  """
  if not losses:
    raise ValueError("make_train_step needs at least one loss")

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    def loss_fn(params):
      outputs = cast(Outputs, model.apply({"params": params}, batch.noise))
      values = {name: loss.function(outputs, batch) for name, loss in losses.items()}
      total = sum(losses[name].weight * value for name, value in values.items())
      return total, values | {"loss": total}

    grads, metrics = jax.grad(loss_fn, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(params, opt_state, state.step + 1), metrics

  return train_step


def fit_batch(
  state: TrainState,
  batch: Batch,
  *,
  train_step: TrainStep,
  inner_steps: int,
  scan: Callable = jax.lax.scan,
) -> tuple[TrainState, Metrics]:
  """Updates on one batch, several times in a row.

  Args:
    state: the state before.
    batch: N frames.
    train_step: from `make_train_step`.
    inner_steps: how many updates.
    scan: the loop; a Python loop of the same signature helps a debugger.

  Returns:
    `(state, metrics)`: the state after, and each metric stacked to `[inner_steps]`.
  """

  def body(state, _):
    return train_step(state, batch)

  return scan(body, state, None, length=inner_steps)
