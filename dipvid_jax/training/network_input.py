"""Network input that follows the scene: the same point, the same input.

What the network learns about a scene point where it is visible then appears where it
is hidden, because its input there is the same.
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, PRNGKeyArray

from dipvid_jax.training.batching import NOISE_AMPLITUDE
from flow import PairFlow

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
  if pairs.stride != 1:
    raise ValueError(f"chaining needs flow at stride 1, got stride {pairs.stride}")
  count, (height, width) = len(pairs.forward) + 1, pairs.forward.shape[1:3]
  grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(
    np.float32
  )
  middle = count // 2
  moved = {middle: np.zeros_like(grid)}  # offsets from a frame to the middle one
  for t in range(middle - 1, -1, -1):
    moved[t] = _chain(pairs.forward[t], moved[t + 1], grid)
  for t in range(middle + 1, count):
    moved[t] = _chain(pairs.backward[t - 1], moved[t - 1], grid)
  return np.stack([grid + moved[t] for t in range(count)])


def _chain(step: np.ndarray, rest: np.ndarray, grid: np.ndarray) -> np.ndarray:
  """One step's offset plus the rest of the way, sampled where the step ends."""
  x, y = np.moveaxis(grid + step, -1, 0)
  border = cv2.BORDER_REPLICATE
  return step + cv2.remap(rest, x, y, cv2.INTER_LINEAR, borderMode=border)


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
  canvas = jax.random.uniform(key, shape, maxval=NOISE_AMPLITUDE)
  x, y = (jnp.asarray(coordinates[..., axis]) for axis in (0, 1))

  @jax.jit
  def sample(layer: jax.Array) -> jax.Array:
    return jax.scipy.ndimage.map_coordinates(layer, [y, x], order=1, mode="wrap")

  return jnp.stack([sample(layer) for layer in canvas], axis=-1)
