"""Types that several rooms share, this package's and those that import it."""

from typing import Any, NamedTuple

import jax
import optax


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
