"""Network input that follows the scene: the same point, the same input.

What the network learns about a scene point where it is visible then appears where it
is hidden, because its input there is the same.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, PRNGKeyArray

from dipvid_jax.media.placement import Box
from dipvid_jax.propagation.regions import positions
from dipvid_jax.training.batching import NOISE_AMPLITUDE
from flow import PairFlow, offsets_to

_CANVAS = 2  # times the frame's height and width; the noise repeats beyond it


def scene_coordinates(pairs: PairFlow) -> Float32[np.ndarray, "T H W 2"]:
  """Where each pixel of each frame lies in the middle frame, by chained flow.

  Args:
    pairs: flow at stride 1, completed in the hole.

  Returns:
    `[T, H, W, 2]` float32, (x, y) in pixels of frame T // 2; points that leave the
    frame move with its border from there.

  Raises:
    ValueError: the flow is not of stride 1.
  """
  offsets = offsets_to(pairs, frame=(len(pairs.forward) + 1) // 2)
  height, width = offsets.shape[1:3]
  return positions(Box(0, 0, height, width)) + offsets


def moving_noise(
  key: PRNGKeyArray, coordinates: Float[np.ndarray, "T H W 2"], *, channels: int
) -> Float[jax.Array, "T H W {channels}"]:
  """Samples one canvas of noise at each frame's scene coordinates.

  Args:
    key: a PRNG key, consumed.
    coordinates: from `scene_coordinates`.
    channels: C, independent maps.

  Returns:
    `[T, H, W, C]` float32 in [0, 0.1].
  """
  height, width = coordinates.shape[1:3]
  shape = (channels, _CANVAS * height, _CANVAS * width)
  canvas = jax.random.uniform(key, shape, jnp.float32, maxval=NOISE_AMPLITUDE)
  x, y = (jnp.asarray(coordinates[..., axis]) for axis in (0, 1))

  return jnp.stack([_sample_wrapped(layer, y, x) for layer in canvas], axis=-1)


@jax.jit
def _sample_wrapped(layer: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
  return jax.scipy.ndimage.map_coordinates(layer, [y, x], order=1, mode="wrap")
