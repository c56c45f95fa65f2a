"""The optimiser: Adam, and its learning rate over the run."""

import optax


def make_optimizer(
  learning_rate: float, *, updates: int, schedule: str = "constant"
) -> optax.GradientTransformation:
  """Adam with its defaults, as the authors use it.

  Args:
    learning_rate: the rate of the first update.
    updates: total updates of a network.
    schedule: "constant", or "cosine", which falls to 0 at the end.

  Returns:
    The optimiser.
  """
  if schedule == "cosine":
    return optax.adam(optax.cosine_decay_schedule(learning_rate, updates))
  return optax.adam(learning_rate)
