"""Backward warping with bilinear interpolation."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from flow.taps import take_pixels
from flow.types import AnyArray, at_least_float32

_IN_BOUNDS_THRESHOLD = 0.999


def backward_warp(
  image: Float[AnyArray, "B H W C"], flow: Float[AnyArray, "B H W 2"]
) -> tuple[Float[jax.Array, "B H W C"], Float[jax.Array, "B H W 1"]]:
  """Samples an image where a flow points: `warped[y, x] = image[y + dy, x + dx]`.

  Bilinear, zeros outside the frame, pixel centres at integer coordinates
  (PyTorch's `align_corners=True`). Differentiable in both arguments; the gradient is
  described in `flow.taps`.

  Args:
    image: `[B, H, W, C]` float.
    flow: `[B, H, W, 2]` float, (dx, dy) in pixels.

  Returns:
    `(warped, in_bounds)`: `[B, H, W, C]`, and `[B, H, W, 1]` float that is 1 where
    the bilinear weights of the taps inside the frame sum to at least 0.999. No
    gradient flows through `in_bounds`.

  Raises:
    ValueError: the shapes disagree (raised while tracing).
  """
  if image.ndim != 4 or flow.shape != (*image.shape[:3], 2):
    raise ValueError(
      f"backward_warp needs image [B, H, W, C] and flow [B, H, W, 2], "
      f"got {image.shape} and {flow.shape}"
    )
  batch, height, width, channels = image.shape
  flow = jnp.asarray(flow, at_least_float32(flow.dtype))  # bfloat16 ends at 256 pixels
  x = jnp.arange(width, dtype=flow.dtype)[None, None, :] + flow[..., 0]
  y = jnp.arange(height, dtype=flow.dtype)[None, :, None] + flow[..., 1]
  left, top = jnp.floor(x), jnp.floor(y)
  x_weight, y_weight = x - left, y - top

  pixels = jnp.asarray(image).reshape(batch, height * width, channels)
  warped = jnp.zeros(image.shape, jnp.result_type(image, flow))
  weight_inside = jnp.zeros(x.shape, flow.dtype)
  for tap_y, weight_y in ((top, 1 - y_weight), (top + 1, y_weight)):
    for tap_x, weight_x in ((left, 1 - x_weight), (left + 1, x_weight)):
      inside = (
        (tap_x >= 0) & (tap_x <= width - 1) & (tap_y >= 0) & (tap_y <= height - 1)
      )
      weight = jnp.where(inside, weight_x * weight_y, 0)
      index = tap_y.astype(jnp.int32) * width + tap_x.astype(jnp.int32)
      tap = take_pixels(pixels, *(a.reshape(batch, -1) for a in (index, inside)))
      warped += tap.reshape(image.shape) * weight[..., None]
      weight_inside += weight
  in_bounds = (weight_inside >= _IN_BOUNDS_THRESHOLD).astype(flow.dtype)
  return warped, jax.lax.stop_gradient(in_bounds)[..., None]
