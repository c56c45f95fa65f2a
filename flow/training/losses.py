"""PWC-Net's two losses, over all levels of the pyramid."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from flow.pwcnet.network import COARSEST_LEVEL, FLOW_UNIT
from flow.types import AnyArray

LEVEL_WEIGHTS = (0.32, 0.08, 0.02, 0.01, 0.005)
"""Weights of levels 6, 5, 4, 3, 2."""

_EPSILON, _EXPONENT = 0.01, 0.4


def downscale_flow(
  flow: Float[AnyArray, "B H W 2"], *, level: int
) -> Float[jax.Array, "B H//2**{level} W//2**{level} 2"]:
  """Ground truth of one level: the mean of each block, in units of 20 pixels.

  Args:
    flow: `[B, H, W, 2]` float, pixels; H and W multiples of 2^level.
    level: of the pyramid.

  Returns:
    `[B, H / 2^level, W / 2^level, 2]`; vectors still count pixels of the frame.
  """
  batch, height, width, _ = flow.shape
  side = 2**level
  blocks = flow.reshape(batch, height // side, side, width // side, side, 2)
  return jnp.mean(blocks, axis=(2, 4)) / FLOW_UNIT


def multiscale_loss(
  flows: Sequence[Float[AnyArray, "B _ _ 2"]],
  flow: Float[AnyArray, "B H W 2"],
  *,
  robust: Bool[AnyArray, ""] | bool,
) -> Float[jax.Array, ""]:
  """Weighted sum over the levels of the distance to the true flow.

  The distance at a pixel is the L2 norm of the difference or, if `robust`,
  (L1 norm + 0.01)^0.4, which gives less weight to pixels that cannot be matched. It is
  summed over the pixels and averaged over the batch. Hidden pixels count: their flow
  is known.

  Args:
    flows: from `PWCNet.levels`, `[B, H / 2^l, W / 2^l, 2]`, l = 6 .. 2.
    flow: `[B, H, W, 2]` float, the truth in pixels, at the network's working size.
    robust: selects the distance; may be traced.

  Returns:
    Scalar.

  Raises:
    ValueError: the shapes disagree (raised while tracing).

  Reference: Sun et al., CVPR 2018, equations 1 and 2, without the weight decay.
  """
  total = jnp.zeros(())
  for i, (estimate, weight) in enumerate(zip(flows, LEVEL_WEIGHTS, strict=True)):
    truth = downscale_flow(flow, level=COARSEST_LEVEL - i)
    if estimate.shape != truth.shape:
      raise ValueError(
        f"multiscale_loss: level {COARSEST_LEVEL - i} has shape {estimate.shape}, "
        f"its ground truth {truth.shape}"
      )
    difference = estimate - truth
    # The floor keeps the gradient finite where the difference is zero.
    plain = jnp.sqrt(jnp.sum(difference**2, axis=-1) + 1e-12)
    flattened = (jnp.sum(jnp.abs(difference), axis=-1) + _EPSILON) ** _EXPONENT
    total += weight * jnp.sum(jnp.where(robust, flattened, plain)) / len(flow)
  return total
