"""One update, and the scan over the updates of a batch."""

from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import optax
from jaxtyping import PRNGKeyArray

from dipvid_jax.training.contract import (
  TOTAL,
  check_batch,
  check_losses,
  check_outputs,
  check_scalar,
)
from dipvid_jax.training.objective import Losses
from dipvid_jax.types import Batch, Outputs
from flow.types import Params, TrainState

Metrics = dict[str, jax.Array]
# Of a state, a batch, and a key where the update draws random numbers.
TrainStep = Callable[..., tuple[TrainState, Metrics]]
# As a train step.
Update = Callable[..., tuple[TrainState, Metrics, Outputs]]


def make_update(
  model: nn.Module, optimizer: optax.GradientTransformation, *, losses: Losses
) -> Update:
  """Makes the pure function of one update that also returns the network's outputs.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    losses: terms by name, each a weight and a function of (outputs, batch).

  Returns:
    `update(state, batch, key=None) -> (state, metrics, outputs)`; metrics and outputs
    are from before the update. The metrics are scalars: each loss by name, unweighted,
    and `loss`, their weighted sum. The key, consumed, is for a model that draws random
    numbers: its stream `dropout` and, by the name `params`, every other. While it is
    traced, `update` raises a TypeError where the batch's types, what the model returns
    or what a loss returns do not fit.

  Raises:
    ValueError: no losses, or one with the name of their sum.
    TypeError: a loss that is no `Loss`.
  """
  check_losses(losses)

  def update(
    state: TrainState, batch: Batch, key: PRNGKeyArray | None = None
  ) -> tuple[TrainState, Metrics, Outputs]:
    check_batch(batch)

    def loss_fn(params: Params) -> tuple[jax.Array, tuple[Metrics, Outputs]]:
      applied = model.apply({"params": params}, batch.noise, rngs=_streams(key))
      check_outputs(applied)
      outputs = cast(Outputs, applied)
      values = {name: loss.function(outputs, batch) for name, loss in losses.items()}
      for name, value in values.items():
        check_scalar(name, value)
      weighted = (losses[name].weight * value for name, value in values.items())
      total = cast(jax.Array, sum(weighted))
      return total, (values | {TOTAL: total}, outputs)

    grads, (metrics, outputs) = jax.grad(loss_fn, has_aux=True)(state.params)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes counts and floats
      updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
      params = optax.apply_updates(state.params, updates)
    return TrainState(params, opt_state, state.step + 1), metrics, outputs

  return update


def _streams(key: PRNGKeyArray | None) -> dict[str, jax.Array] | None:
  """Flax's streams of random numbers: `dropout`, and `params` for any other name."""
  if key is None:
    return None
  return dict(zip(("params", "dropout"), jax.random.split(key), strict=True))


def make_train_step(
  model: nn.Module, optimizer: optax.GradientTransformation, *, losses: Losses
) -> TrainStep:
  """Makes the pure function of one update; `jit`, `scan` and `grad` are the caller's.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    losses: terms by name, each a weight and a function of (outputs, batch).

  Returns:
    `train_step(state, batch, key=None) -> (state, metrics)`, as `make_update` without
    the outputs.

  Raises:
    ValueError: no losses, or one with the name of their sum.
    TypeError: a loss that is no `Loss`.
  """
  update = make_update(model, optimizer, losses=losses)

  def train_step(
    state: TrainState, batch: Batch, key: PRNGKeyArray | None = None
  ) -> tuple[TrainState, Metrics]:
    state, metrics, _ = update(state, batch, key)
    return state, metrics

  return train_step


def fit_batch(
  state: TrainState,
  batch: Batch,
  *,
  train_step: TrainStep,
  inner_steps: int,
  key: PRNGKeyArray | None = None,
  scan: Callable = jax.lax.scan,
) -> tuple[TrainState, Metrics]:
  """Updates a state several times on one batch.

  Args:
    state: the state before the first update.
    batch: N frames.
    train_step: from `make_train_step`, or a function around it.
    inner_steps: how many updates.
    key: a PRNG key for updates that draw random numbers. Each gets the key folded with
      its number, `state.step`, so one key serves a whole run, resumed or not; None:
      `train_step` is called without a key.
    scan: the loop; a Python loop of the same signature helps a debugger.

  Returns:
    `(state, metrics)`: the state after the last update, and each metric as
    `[inner_steps]`.
  """

  def body(state: TrainState, _: None) -> tuple[TrainState, Metrics]:
    if key is None:
      return train_step(state, batch)
    return train_step(state, batch, key=jax.random.fold_in(key, state.step))

  return scan(body, state, None, length=inner_steps)
