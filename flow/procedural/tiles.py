"""Textured tiles to paint layers with, and sampling them between pixels."""

import jax
import jax.numpy as jnp

from flow.procedural.textures import FAMILIES, fractal_noise

_DETAIL = 0.6  # the strongest fractal detail over a texture


def draw_tiles(key: jax.Array, *, family: str, size: int) -> jax.Array:
  """Draws one tile of every texture in a family, with fractal detail over it.

  Args:
    key: a PRNG key, consumed.
    family: of `FAMILIES`.
    size: S, the side of a tile in pixels, a multiple of 32.

  Returns:
    `[K, S, S, 3]` float32, RGB in [0, 1].
  """
  painters = FAMILIES[family]
  detail_key, strength_key, *keys = jax.random.split(key, 2 + len(painters))
  tiles = jnp.stack(
    [paint(key, size=size) for paint, key in zip(painters, keys, strict=True)]
  )
  strength = _DETAIL * jax.random.uniform(strength_key, (len(painters),)) ** 2
  detail = fractal_noise(detail_key, size=size) - 0.5
  return jnp.clip(tiles + strength[:, None, None, None] * detail[None], 0, 1)


def sample_tile(
  tiles: jax.Array, index: jax.Array, x: jax.Array, y: jax.Array
) -> jax.Array:
  """Samples tiles bilinearly, as if they repeated forever.

  Args:
    tiles: `[K, S, S, 3]`.
    index: `[H, W]` int, the tile of each pixel.
    x: `[H, W]` float, in pixels of the tile.
    y: `[H, W]` float, likewise.

  Returns:
    `[H, W, 3]`.
  """
  size = tiles.shape[1]
  rows = tiles.reshape(-1, 3)
  left, top = jnp.floor(x), jnp.floor(y)
  sampled = jnp.zeros((*x.shape, 3), tiles.dtype)
  for tap_y, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
    for tap_x, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
      column = tap_x.astype(jnp.int32) % size
      row = tap_y.astype(jnp.int32) % size
      tap = rows[(index * size + row) * size + column]
      sampled += (weight_x * weight_y)[..., None] * tap
  return sampled
