"""Network input that follows the scene: the same point, the same input.

What the network learns about a scene point where it is visible then appears where it
is hidden, because its input there is the same.
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.batching import NOISE_AMPLITUDE, draw_noise
from flow import PairFlow

_CANVAS = 2  # sides of the canvas in sides of the frame; beyond them it repeats
# Standard deviation, in periods per half of the longer side. Of 2, 4, 8 and 16 the best
# hole after 225 updates (12 frames of bmx-trees at 48x96); 8 is worse at 96x192, too.
_FREQUENCY = 4.0


def scene_coordinates(pairs: PairFlow) -> np.ndarray:
  """Where each pixel of each frame lies in the middle frame, by chained flow.

  Args:
    pairs: flow at stride 1, completed in the hole.

  Returns:
    `[T, H, W, 2]` float32, (x, y) in pixels of frame T // 2; points that leave the
    frame on the way move on as the border does.

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
  moved = {middle: np.zeros_like(grid)}  # from each frame's pixels to the middle frame
  for t in range(middle - 1, -1, -1):
    moved[t] = _chain(pairs.forward[t], moved[t + 1], grid)
  for t in range(middle + 1, count):
    moved[t] = _chain(pairs.backward[t - 1], moved[t - 1], grid)
  return np.stack([grid + moved[t] for t in range(count)])


def _chain(step, rest, grid):
  """The way of one step and, from where it ends, the rest of the way."""
  x, y = np.moveaxis(grid + step, -1, 0)
  border = cv2.BORDER_REPLICATE
  return step + cv2.remap(rest, x, y, cv2.INTER_LINEAR, borderMode=border)


def moving_noise(
  key: jax.Array, coordinates: np.ndarray, *, channels: int
) -> jax.Array:
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
  def sample(layer):
    return jax.scipy.ndimage.map_coordinates(layer, [y, x], order=1, mode="wrap")

  return jnp.stack([sample(layer) for layer in canvas], axis=-1)


def fourier_features(
  key: jax.Array, coordinates: np.ndarray, *, channels: int
) -> jax.Array:
  """Encodes each frame's scene coordinates by random waves.

  The longer side of a frame is 2 units long; sine and cosine of `channels / 2` random
  frequencies have the range of the noise.

  Args:
    key: a PRNG key, consumed.
    coordinates: from `scene_coordinates`.
    channels: C; of an odd number the last frequency has its sine alone.

  Returns:
    `[T, H, W, C]` float32 in [0, 0.1].

  Reference: Tancik et al., Fourier Features Let Networks Learn High Frequency Functions
  in Low Dimensional Domains, NeurIPS 2020.
  """
  height, width = coordinates.shape[1:3]
  middle = np.array([width - 1, height - 1]) / 2
  places = (coordinates - middle) / (max(height, width) / 2)
  drawn = jax.random.normal(key, (2, (channels + 1) // 2))
  angles = 2 * np.pi * places @ (_FREQUENCY * np.asarray(drawn))
  waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
  waves = waves.reshape(*coordinates.shape[:3], -1)[..., :channels]
  return jnp.asarray(NOISE_AMPLITUDE * (1 + waves) / 2, jnp.float32)


def add_frame_noise(
  key: jax.Array, network_input: jax.Array, *, channels: int
) -> jax.Array:
  """Adds channels of noise that every frame has to itself.

  They let frames differ in what the scene's points alone do not tell.

  Args:
    key: a PRNG key, consumed.
    network_input: `[T, H, W, C]` float32.
    channels: F; 0 adds nothing.

  Returns:
    `[T, H, W, C + F]` float32.
  """
  if not channels:
    return network_input
  own = draw_noise(key, (*network_input.shape[:3], channels))
  return jnp.concatenate([network_input, own], axis=-1)
