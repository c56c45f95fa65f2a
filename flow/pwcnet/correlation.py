"""The cost volume: how well each pixel matches its neighbours in a second frame."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from flow.types import AnyArray

MAX_DISPLACEMENT = 4
"""Largest displacement in each direction, in pixels of the feature map."""

COST_CHANNELS = (2 * MAX_DISPLACEMENT + 1) ** 2
"""Channels of a cost volume: 9 x 9 displacements."""


def cost_volume(
  first: Float[AnyArray, "B H W C"], second: Float[AnyArray, "B H W C"]
) -> Float[jax.Array, "B H W 81"]:
  """Correlates each feature vector with those around it in a second feature map.

  `volume[b, y, x, (dy + 4) * 9 + (dx + 4)]` is the mean over the channels of
  `first[b, y, x] * second[b, y + dy, x + dx]` for dx and dy in -4 .. 4; features
  outside the map are zero.

  Args:
    first: `[B, H, W, C]` float features.
    second: `[B, H, W, C]` float features, same shape.

  Returns:
    `[B, H, W, 81]`, in the square of the features' unit.

  Raises:
    ValueError: the shapes disagree (raised while tracing).

  Reference: Sun et al., CVPR 2018, equation 2.
  """
  if first.ndim != 4 or first.shape != second.shape:
    raise ValueError(
      f"cost_volume needs two [B, H, W, C] arrays of one shape, "
      f"got {first.shape} and {second.shape}"
    )
  radius = MAX_DISPLACEMENT
  side = 2 * radius + 1
  padded = jnp.pad(second, ((0, 0), (radius, radius), (radius, radius), (0, 0)))

  def match(displacement: jax.Array) -> jax.Array:
    start = (0, displacement // side, displacement % side, 0)
    shifted = jax.lax.dynamic_slice(padded, start, first.shape)
    return jnp.mean(first * shifted, axis=-1)

  # A loop over the displacements: at any time one shifted copy exists instead of 81,
  # and the compiled program contains one instead of 81.
  volume = jax.lax.map(match, jnp.arange(COST_CHANNELS))
  return jnp.moveaxis(volume, 0, -1)
