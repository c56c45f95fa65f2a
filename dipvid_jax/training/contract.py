"""What an update asks of its caller's network, losses and batch.

All of it is known while tracing, so that nothing of it is in a compiled program.
"""

from collections.abc import Mapping

import jax.numpy as jnp

from dipvid_jax.types import Batch
from flow.types import AnyArray, Variables, check_floating

TOTAL = "loss"
"""The name of the weighted sum among the metrics."""


def check_losses(losses: Mapping[str, object]) -> None:
  """Checks the terms of an objective.

  Args:
    losses: by name; each should have a weight and a function.

  Raises:
    ValueError: there are none, or one has the name of their sum.
    TypeError: one is a bare function.
  """
  if not losses:
    raise ValueError("a train step needs at least one loss")
  if TOTAL in losses:
    raise ValueError(
      f"a loss named {TOTAL!r} would hide the weighted sum, which has that name among"
      " the metrics: rename it"
    )
  for name, loss in losses.items():
    if not (hasattr(loss, "weight") and hasattr(loss, "function")):
      raise TypeError(
        f"the loss {name!r} must be Loss(weight, function), got {_describe(loss)}"
      )


def check_batch(batch: Batch) -> None:
  """Checks the types of what every update reads.

  Args:
    batch: of an update.

  Raises:
    TypeError: noise or frames are whole numbers, or the masks are and not bool.
  """
  check_floating("noise", batch.noise)
  check_floating("frames", batch.frames)
  check_mask("hole_mask", batch.hole_mask)


def check_mask(name: str, mask: AnyArray) -> None:
  """Refuses masks of whole numbers, which may mean 0 and 255.

  Args:
    name: of the mask in the message.
    mask: any.

  Raises:
    TypeError: it is neither float nor bool.
  """
  if mask.dtype != bool and not jnp.issubdtype(mask.dtype, jnp.floating):
    raise TypeError(f"{name} must be float from 0 to 1, or bool, got {mask.dtype}")


def check_outputs(outputs: object) -> None:
  """Checks what a network returns.

  Args:
    outputs: from its `apply`.

  Raises:
    TypeError: not `Outputs`, nor anything else with an image and a flow.
  """
  if not (hasattr(outputs, "image") and hasattr(outputs, "flow")):
    raise TypeError(
      f"the model must return Outputs(image, flow), got {_describe(outputs)}; a network"
      " without flow returns image[..., :0] for it"
    )


def check_scalar(name: str, value: object) -> None:
  """Checks what a loss returns.

  Args:
    name: of the loss.
    value: from its function.

  Raises:
    TypeError: not one number.
  """
  if not (isinstance(value, float | int) or getattr(value, "shape", None) == ()):
    raise TypeError(f"the loss {name!r} must return a scalar, got {_describe(value)}")


def check_variables(variables: Variables) -> None:
  """Checks that a network has parameters and nothing else.

  Args:
    variables: from its `init`.

  Raises:
    ValueError: it has none, or collections that an update would have to carry along.
  """
  others = sorted(set(variables) - {"params"})
  if others:
    raise ValueError(
      f"the model keeps {', '.join(others)} beside its parameters, which a train step"
      " does not carry along: normalise without running averages (nn.GroupNorm, or"
      " the batch's own statistics, as EncoderDecoder does)"
    )
  if "params" not in variables:
    raise ValueError("the model has no parameters to train")


def _describe(value: object) -> str:
  """A value in a message: an array by its type and shape, all else by its class."""
  if hasattr(value, "dtype") and hasattr(value, "shape"):
    return f"an array {value.dtype}{list(value.shape)}"
  return f"a {type(value).__name__}"
