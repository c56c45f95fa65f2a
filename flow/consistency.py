"""The forward-backward check: where a flow can be trusted."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from flow.types import AnyArray
from flow.warp import backward_warp

_VISIBILITY_THRESHOLD = 0.5


def visible_mask(
  flow_ij: Float[AnyArray, "B H W 2"], flow_ji: Float[AnyArray, "B H W 2"]
) -> Float[jax.Array, "B H W 1"]:
  """Marks the pixels of frame i whose flow to frame j and back returns to them.

  With F the flow i -> j and B the flow j -> i sampled at x + F(x), a pixel is
  visible where exp(-|F + B|^2 / 2) > 0.5, that is within about 1.18 pixels.

  Args:
    flow_ij: `[B, H, W, 2]` float, (dx, dy) in pixels, from frame i to frame j.
    flow_ji: `[B, H, W, 2]` float, likewise from frame j to frame i.

  Returns:
    `[B, H, W, 1]` float, 1 where `flow_ij` can be trusted. No gradient flows.

  Raises:
    ValueError: the shapes disagree (raised while tracing).

  Reference: Zhang et al., ICCV 2019, O in equation 4 (1 = visible, despite the name).
  """
  if flow_ij.shape != flow_ji.shape:
    raise ValueError(
      f"visible_mask needs two flows of one shape, got {flow_ij.shape} "
      f"and {flow_ji.shape}"
    )
  returned, _ = backward_warp(flow_ji, flow_ij)
  squared = jnp.sum((flow_ij + returned) ** 2, axis=-1, keepdims=True)
  visible = jnp.exp(-squared / 2) > _VISIBILITY_THRESHOLD
  return jax.lax.stop_gradient(visible.astype(flow_ij.dtype))
