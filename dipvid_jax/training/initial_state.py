"""The state before the first update."""

from collections.abc import Callable
from typing import TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PRNGKeyArray

from dipvid_jax.training.contract import check_variables
from flow.types import AnyArray, TrainState

Noise = Float[AnyArray, "N H W C"]
CreateState = Callable[[PRNGKeyArray, Noise], TrainState]
_Drawn = TypeVar("_Drawn")


def create_train_state(
  key: PRNGKeyArray,
  *,
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  sample: Float[AnyArray, "N H W C"],
) -> TrainState:
  """Draws parameters and starts the optimiser.

  On a GPU the CPU draws the numbers, if JAX has it as well (`JAX_PLATFORMS` is unset or
  `cuda,cpu`): XLA compiles the draws for a GPU for half a minute.

  Args:
    key: a PRNG key, consumed.
    model: maps noise `[N, H, W, C]` to `Outputs`.
    optimizer: from optax.
    sample: `[N, H, W, C]`, a noise batch; only its shape and dtype matter.

  Returns:
    The state before the first update.

  Raises:
    ValueError: the model keeps more than parameters, such as the running averages of
      `nn.BatchNorm`, or has none (raised while tracing).
  """
  variables = dict(_drawing(model.init)(key, sample))
  check_variables(variables)
  params = variables["params"]
  return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))


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

  return _drawing(create_state)


def _drawing(
  function: Callable[[PRNGKeyArray, Noise], _Drawn],
) -> Callable[[PRNGKeyArray, Noise], _Drawn]:
  """Compiles what draws numbers once, for the CPU where there is one."""
  compiled = jax.jit(function, compiler_options=_run_once_options())

  def draw(key: PRNGKeyArray, sample: Noise) -> _Drawn:
    if any(isinstance(x, jax.core.Tracer) for x in (key, sample)):
      return jax.jit(function)(key, sample)  # options are the outermost one's alone
    host = _host()
    if host is None:
      return compiled(key, sample)
    return jax.tree.map(_to_device, compiled(*jax.device_put((key, sample), host)))

  return draw


def _run_once_options() -> dict[str, str] | None:
  """Dozens of random generators run once each; optimising them would take longer."""
  on_cpu = jax.default_backend() == "cpu" or _host() is not None
  return {"xla_backend_optimization_level": "0"} if on_cpu else None


def _host() -> jax.Device | None:
  """The CPU beside another device that JAX uses; None where there is no such pair."""
  if jax.default_backend() == "cpu":
    return None
  try:
    return jax.local_devices(backend="cpu")[0]
  except RuntimeError:  # JAX_PLATFORMS leaves it out
    return None


def _to_device(array: jax.Array) -> jax.Array:
  """Moves an array to the default device without binding it there."""
  if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
    data = _to_device(jax.random.key_data(array))
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
  return jax.device_put(np.asarray(array))
