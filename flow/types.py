"""Types that more than one folder of this package, or its users, need."""

from typing import Any, NamedTuple

import jax
import numpy as np
import optax

AnyArray = jax.Array | np.ndarray
"""An argument of a function in JAX; NumPy arrays are converted."""


class TrainState(NamedTuple):
  """What changes from update to update.

  Attributes:
    params: the network's parameters.
    opt_state: the optimiser's state.
    step: scalar int32, updates done.
  """

  params: Any
  opt_state: optax.OptState
  step: jax.Array
