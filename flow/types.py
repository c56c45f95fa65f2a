"""Types that more than one folder of this package, or its users, need."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree

AnyArray = jax.Array | np.ndarray
"""An argument of a function in JAX; NumPy arrays are converted."""

Params: TypeAlias = PyTree
"""Parameters of a network, as Flax has them."""

Variables: TypeAlias = dict[str, Params]
"""What `apply` of a Flax module takes: `{"params": ...}`."""


class TrainState(NamedTuple):
  """What changes from update to update.

  Attributes:
    params: the network's parameters.
    opt_state: the optimiser's state.
    step: scalar int32, updates done.
  """

  params: Params
  opt_state: optax.OptState
  step: jax.Array


def check_floating(name: str, array: AnyArray) -> None:
  """Refuses whole numbers, such as frames of 0 to 255 where [0, 1] is meant.

  Args:
    name: of the array in the message.
    array: any.

  Raises:
    TypeError: it is not of a floating type (raised while tracing).
  """
  if not jnp.issubdtype(array.dtype, jnp.floating):
    way_out = "; divide by 255 for [0, 1]" if array.dtype == np.uint8 else ""
    raise TypeError(f"{name} must be float, got {array.dtype}{way_out}")


def at_least_float32(dtype: jnp.dtype) -> jnp.dtype:
  """A floating-point type, or float32 in place of a narrower one."""
  return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else jnp.dtype(dtype)
