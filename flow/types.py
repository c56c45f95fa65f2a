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


def at_least_float32(dtype: jnp.dtype) -> jnp.dtype:
  """A floating-point type, or float32 in place of a narrower one."""
  return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else jnp.dtype(dtype)
