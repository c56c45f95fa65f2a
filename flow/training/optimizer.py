"""Learning rate and optimiser, with a state of 2 bytes per parameter."""

import jax
import jax.numpy as jnp
import optax

from flow.types import Params

DECAYS = ("cosine", "steps")
_WEIGHT_DECAY = 0.0004  # of the paper
_MOMENTUM = 0.9
_SMALLEST_FACTORED = 16  # channels


def make_learning_rate(
  peak: float, *, updates: int, warm_up: int, decay: str = "cosine"
) -> optax.Schedule:
  """A linear rise, then a decay.

  Args:
    peak: the highest rate.
    updates: of the whole training.
    warm_up: updates of the rise.
    decay: `cosine` falls to zero at the end; `steps` halves the rate at 1/3, 1/2,
      2/3 and 5/6 of the training, as in the paper.

  Returns:
    The rate by the number of updates done.

  Raises:
    ValueError: the decay is unknown.
  """
  if decay not in DECAYS:
    raise ValueError(f"decay must be one of {', '.join(DECAYS)}, got {decay!r}")
  rise = optax.linear_schedule(0.0, peak, warm_up)
  if decay == "cosine":
    fall = optax.cosine_decay_schedule(peak, max(updates - warm_up, 1))
  else:
    halvings = {updates * k // 6 - warm_up: 0.5 for k in (2, 3, 4, 5)}
    fall = optax.piecewise_constant_schedule(peak, halvings)
  return optax.join_schedules([rise, fall], [warm_up])


def make_optimizer(learning_rate: optax.Schedule) -> optax.GradientTransformation:
  """Adafactor with momentum: its state, and so the resume file, is smaller than Adam's.

  Adam keeps two float32 numbers for each parameter. Here the second moment of a
  kernel is stored as its means over the input and over the output channels, and the
  momentum in bfloat16: with the float32 parameter, 6 bytes instead of 12. Before the
  momentum, the update of each tensor is clipped to a root mean square of 1, which
  limits single large gradients at any frame size.

  The weight decay is the paper's 0.0004, but added to the normalised update. Added to
  the gradient, it outweighs the small gradients of the coarse levels and drives their
  kernels to zero. Biases are not decayed.

  Args:
    learning_rate: from `make_learning_rate`.

  Returns:
    The optimiser.

  Reference: Shazeer and Stern, Adafactor, ICML 2018; Zhai et al., Scaling vision
    transformers, CVPR 2022, for the momentum in bfloat16.
  """
  return optax.chain(
    optax.scale_by_factored_rms(min_dim_size_to_factor=_SMALLEST_FACTORED),
    optax.clip_by_block_rms(1.0),
    optax.ema(_MOMENTUM, debias=False, accumulator_dtype=jnp.bfloat16),
    optax.add_decayed_weights(_WEIGHT_DECAY, mask=_kernels),
    optax.scale_by_learning_rate(learning_rate),
  )


def _kernels(params: Params) -> Params:
  return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
