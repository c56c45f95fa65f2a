"""One update, and the scan over the updates of a batch."""

from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, PRNGKeyArray

from dipvid_jax.training.objective import Losses
from dipvid_jax.types import Batch, Outputs
from flow.types import AnyArray, Params, TrainState, Variables

Noise = Float[AnyArray, "N H W C"]
Metrics = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
CreateState = Callable[[PRNGKeyArray, Noise], TrainState]
Update = Callable[[TrainState, Batch], tuple[TrainState, Metrics, Outputs]]


def create_train_state(
  key: PRNGKeyArray,
  *,
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  sample: Float[AnyArray, "N H W C"],
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


def _init(model: nn.Module, key: PRNGKeyArray, sample: Noise) -> Variables:
  traced = any(isinstance(x, jax.core.Tracer) for x in (key, sample))
  # Only the outermost of nested compilations takes options.
  return jax.jit(model.init, compiler_options=None if traced else _run_once_options())(
    key, sample
  )


def make_create_state(
  model: nn.Module, optimizer: optax.GradientTransformation
) -> CreateState:
  """Compiles `create_train_state` for many networks of one kind.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.

  Returns:
    `create_state(key, sample)`: the state before the first update.
  """

  def create_state(key: PRNGKeyArray, sample: Noise) -> TrainState:
    return create_train_state(key, model=model, optimizer=optimizer, sample=sample)

  return jax.jit(create_state, compiler_options=_run_once_options())


def _run_once_options() -> dict[str, str] | None:
  """Dozens of random generators run once each; optimising them would take longer."""
  on_cpu = jax.default_backend() == "cpu"
  return {"xla_backend_optimization_level": "0"} if on_cpu else None


def make_update(
  model: nn.Module, optimizer: optax.GradientTransformation, *, losses: Losses
) -> Update:
  """Makes the pure function of one update that also returns the network's outputs.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    losses: terms by name, each a weight and a function of (outputs, batch).

  Returns:
    `update(state, batch) -> (state, metrics, outputs)`; metrics and outputs are
    from before the update. The metrics are scalars: each loss by name, unweighted,
    and `loss`, their weighted sum.

  Raises:
    ValueError: no losses.
  """
  if not losses:
    raise ValueError("a train step needs at least one loss")

  def update(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics, Outputs]:
    def loss_fn(params: Params) -> tuple[jax.Array, tuple[Metrics, Outputs]]:
      outputs = cast(Outputs, model.apply({"params": params}, batch.noise))
      values = {name: loss.function(outputs, batch) for name, loss in losses.items()}
      weighted = (losses[name].weight * value for name, value in values.items())
      total = cast(jax.Array, sum(weighted))
      return total, (values | {"loss": total}, outputs)

    grads, (metrics, outputs) = jax.grad(loss_fn, has_aux=True)(state.params)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes counts and floats
      updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
      params = optax.apply_updates(state.params, updates)
    return TrainState(params, opt_state, state.step + 1), metrics, outputs

  return update


def make_train_step(
  model: nn.Module, optimizer: optax.GradientTransformation, *, losses: Losses
) -> TrainStep:
  """Makes the pure function of one update; `jit`, `scan` and `grad` are the caller's.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    losses: terms by name, each a weight and a function of (outputs, batch).

  Returns:
    `train_step(state, batch) -> (state, metrics)`, as `make_update` without the
    outputs.

  Raises:
    ValueError: no losses.
  """
  update = make_update(model, optimizer, losses=losses)

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    state, metrics, _ = update(state, batch)
    return state, metrics

  return train_step


def fit_batch(
  state: TrainState,
  batch: Batch,
  *,
  train_step: TrainStep,
  inner_steps: int,
  scan: Callable = jax.lax.scan,
) -> tuple[TrainState, Metrics]:
  """Updates a state several times on one batch.

  Args:
    state: the state before the first update.
    batch: N frames.
    train_step: from `make_train_step`.
    inner_steps: how many updates.
    scan: the loop; a Python loop of the same signature helps a debugger.

  Returns:
    `(state, metrics)`: the state after the last update, and each metric as
    `[inner_steps]`.
  """

  def body(state: TrainState, _: None) -> tuple[TrainState, Metrics]:
    return train_step(state, batch)

  return scan(body, state, None, length=inner_steps)
