"""Where a flow can be trusted: the forward-backward check."""

import jax
import jax.numpy as jnp

from flow.warp import backward_warp

_VISIBILITY_THRESHOLD = 0.5


def visible_mask(flow_ij: jax.Array, flow_ji: jax.Array) -> jax.Array:
  """Marks the pixels of frame i that the way to frame j and back returns to.

  With F the flow i -> j and B the flow j -> i sampled at x + F(x), a pixel is
  visible where exp(-|F + B|^2 / 2) > 0.5, that is within about 1.18 pixels.

  Args:
    flow_ij: `[B, H, W, 2]` float, (dx, dy) in pixels, from frame i to frame j.
    flow_ji: `[B, H, W, 2]` float, the other way round.

  Returns:
    `[B, H, W, 1]` float, 1 where `flow_ij` can be trusted. No gradient flows.

  Raises:
    ValueError: the shapes disagree (raised while tracing).

  Reference: Zhang et al., ICCV 2019, O of equation 4 (1 = visible despite its name).
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
