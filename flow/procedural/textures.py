"""Procedural textures: periodic square tiles, RGB in [0, 1].

A tile joins itself at its borders, so a layer of any size can be painted with it.
The training family and the held-out family have no kind of texture in common.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from flow.procedural.numbers import draw_numbers

Painter = Callable[..., jax.Array]

_LEAVES = 72
_CELLS = 64
_STROKES = 72
_DETAIL = 0.6  # the strongest fractal detail that is laid over a painting


def _wrapped(size: int, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
  """`([S, S], [S, S])`: the way from (x, y) to each pixel, the shorter way round."""
  axis = jnp.arange(size, dtype=jnp.float32)
  half = size / 2
  dx = jnp.broadcast_to((axis - x + half) % size - half, (size, size))
  dy = jnp.broadcast_to(((axis - y + half) % size - half)[:, None], (size, size))
  return dx, dy


def _turned(
  size: int, centre: jax.Array, angle: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """As `_wrapped` from (x, y), along a direction and across it."""
  dx, dy = _wrapped(size, *centre)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return cos * dx + sin * dy, cos * dy - sin * dx


def _phase(size: int, waves: jax.Array, shift: jax.Array) -> jax.Array:
  """`[S, S]`: 2 pi (waves . position / S) + shift; whole waves keep it periodic."""
  axis = jnp.arange(size, dtype=jnp.float32) / size
  x = jnp.broadcast_to(axis, (size, size))
  return 2 * jnp.pi * (waves[0] * x + waves[1] * x.T) + shift


def _colours(numbers: jax.Array) -> jax.Array:
  """`[N, 4]` in [0, 1] to `[N, 3]`: a luma, and chroma that is seldom strong."""
  luma, chroma = numbers[:, :1], numbers[:, 1:]
  return jnp.clip(luma + 0.6 * (chroma - 0.5), 0, 1)


def _between(position: jax.Array, colours: jax.Array) -> jax.Array:
  """`[S, S]` in [0, 1] and `[2, 3]` to `[S, S, 3]`."""
  weight = position[..., None]
  return (1 - weight) * colours[0][None, None] + weight * colours[1][None, None]


def fractal_noise(key: jax.Array, *, size: int) -> jax.Array:
  """Noise whose amplitude falls with a random power of the frequency.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  number_key, noise_key = jax.random.split(key)
  drawn = draw_numbers(number_key, {"exponent": (0.6, 2.2), "grey": (0, 1)})
  axis = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
  frequency = np.hypot(*axis)
  frequency[0, 0] = np.inf  # the mean is set below
  amplitude = jnp.asarray(frequency, jnp.float32) ** -drawn["exponent"]
  white = jax.random.normal(noise_key, (3, size, size))
  noise = jnp.fft.irfft2(jnp.fft.rfft2(white) * amplitude[None], s=(size, size))
  noise /= jnp.std(noise, axis=(1, 2), keepdims=True)
  noise = drawn["grey"] * noise[:1] + (1 - drawn["grey"]) * noise
  return jnp.clip(0.5 + 0.2 * jnp.moveaxis(noise, 0, -1), 0, 1)


def dead_leaves(key: jax.Array, *, size: int) -> jax.Array:
  """Discs and boxes that hide one another, of many sizes.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].

  Reference: Lee, Mumford and Huang, Occlusion models for natural images, IJCV 2001.
  """
  leaves = draw_numbers(
    key,
    {
      # Uniform in the inverse radius: the radii's density falls as r^-2.
      "curvature": (4 / size, 1 / 3, (_LEAVES,)),
      "centre": (0, size, (_LEAVES, 2)),
      "angle": (0, 2 * math.pi, (_LEAVES,)),
      "aspect": (0.4, 1, (_LEAVES,)),
      "box": (0, 1, (_LEAVES,)),
      "colour": (0, 1, (_LEAVES, 4)),
    },
  )
  leaves["curvature"] = jnp.sort(leaves["curvature"])  # small ones stay in sight
  leaves["colour"] = _colours(leaves["colour"])

  def place(tile, leaf):
    along, across = _turned(size, leaf["centre"], leaf["angle"])
    along = along * leaf["curvature"]
    across = across * leaf["curvature"] / leaf["aspect"]
    box = jnp.maximum(jnp.abs(along), jnp.abs(across)) < 0.9
    inside = jnp.where(leaf["box"] < 0.4, box, along**2 + across**2 < 1)
    shade = 0.15 * jnp.clip(along, -1, 1)
    painted = leaf["colour"][None, None] + shade[..., None]
    return jnp.where(inside[..., None], painted, tile), None

  tile, _ = jax.lax.scan(place, jnp.full((size, size, 3), 0.5), leaves)
  return jnp.clip(tile, 0, 1)


def gratings(key: jax.Array, *, size: int) -> jax.Array:
  """Two gratings of random direction, width and sharpness, multiplied: stripes, checks.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  most = size // 8 + 0.5  # no period below eight pixels
  drawn = draw_numbers(
    key,
    {
      "waves": (-most, most, (2, 2)),
      "shifts": (0, 2 * math.pi, (2,)),
      "sharpness": (-1, 2, (2,)),
      "single": (0, 1),
      "colours": (0, 1, (2, 4)),
    },
  )
  waves, sharpness = jnp.round(drawn["waves"]), jnp.exp(drawn["sharpness"])
  first, second = (
    jnp.tanh(sharpness[i] * jnp.sin(_phase(size, waves[i], drawn["shifts"][i])))
    for i in (0, 1)
  )
  second = jnp.where(drawn["single"] < 0.5, 1, second)
  return _between(0.5 + 0.5 * first * second, _colours(drawn["colours"]))


def gradients(key: jax.Array, *, size: int) -> jax.Array:
  """Smooth changes of colour over the whole tile, as of sky and plain walls.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  count = 4
  drawn = draw_numbers(
    key,
    {
      "waves": (-2.5, 2.5, (count, 2)),
      "shifts": (0, 2 * math.pi, (count,)),
      "grey": (-0.4, 0.4, (count, 1)),
      "heights": (-0.2, 0.2, (count, 3)),
    },
  )
  waves, heights = jnp.round(drawn["waves"]), drawn["grey"] + drawn["heights"]
  ripples = jnp.cos(jax.vmap(_phase, (None, 0, 0))(size, waves, drawn["shifts"]))
  return jnp.clip(0.5 + jnp.einsum("kyx,kc->yxc", ripples, heights), 0, 1)


def cells(key: jax.Array, *, size: int) -> jax.Array:
  """Cells around random points, dark where two of them meet.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].

  Reference: Worley, A cellular texture basis function, SIGGRAPH 1996.
  """
  drawn = draw_numbers(
    key,
    {
      "points": (0, size, (_CELLS, 2)),
      "colours": (0, 1, (_CELLS, 4)),
      "border": (0.5, 4),  # pixels
    },
  )

  def place(carry, cell):
    tile, nearest, second = carry
    distance = jnp.hypot(*_wrapped(size, *cell["point"]))
    closer = distance < nearest
    second = jnp.minimum(second, jnp.maximum(distance, nearest))
    tile = jnp.where(closer[..., None], cell["colour"][None, None], tile)
    return (tile, jnp.minimum(nearest, distance), second), None

  far = jnp.full((size, size), 2.0 * size)
  start = (jnp.zeros((size, size, 3)), far, far)
  all_cells = {"point": drawn["points"], "colour": _colours(drawn["colours"])}
  (tile, nearest, second), _ = jax.lax.scan(place, start, all_cells)
  return tile * jnp.clip((second - nearest) / drawn["border"], 0, 1)[..., None]


def marble(key: jax.Array, *, size: int) -> jax.Array:
  """Veins: a wave whose phase a noise shifts.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  number_key, noise_key = jax.random.split(key)
  drawn = draw_numbers(
    number_key,
    {"waves": (-6.5, 6.5, (2,)), "strength": (5, 25), "colours": (0, 1, (2, 4))},
  )
  shift = drawn["strength"] * fractal_noise(noise_key, size=size)[..., 0]
  veins = 0.5 + 0.5 * jnp.sin(_phase(size, jnp.round(drawn["waves"]), shift))
  return _between(veins, _colours(drawn["colours"]))


def bricks(key: jax.Array, *, size: int) -> jax.Array:
  """Rows of bricks of random colours in mortar, every other row shifted.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels, a multiple of 32.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  height, width = size // 16, size // 8
  row = np.arange(size) // height
  x = np.arange(size)[None] + (row % 2)[:, None] * (width // 2)
  column = x // width % (size // width)
  shape = (size // height, size // width, 3)
  drawn = draw_numbers(
    key,
    {"colours": (0, 1, (2, 4)), "spread": (-0.3, 0.3, shape), "joint": (0.5, 2.5)},
  )
  base, mortar = _colours(drawn["colours"])
  tile = jnp.clip(base[None, None] + drawn["spread"][row[:, None], column], 0, 1)
  joint = jnp.round(drawn["joint"])  # pixels
  in_joint = (x % width < joint) | (np.arange(size) % height < joint)[:, None]
  return jnp.where(in_joint[..., None], mortar[None, None], tile)


def strokes(key: jax.Array, *, size: int) -> jax.Array:
  """Straight strokes of a brush over a plain ground.

  Args:
    key: a PRNG key, consumed.
    size: S, the tile's side in pixels.

  Returns:
    `[S, S, 3]` float32, RGB in [0, 1].
  """
  drawn = draw_numbers(
    key,
    {
      "centre": (0, size, (_STROKES, 2)),
      "angle": (0, math.pi, (_STROKES,)),
      "length": (4, size / 4, (_STROKES,)),
      "width": (0.7, 4, (_STROKES,)),
      "colour": (0, 1, (_STROKES, 4)),
    },
  )
  drawn["colour"] = _colours(drawn["colour"])

  def place(tile, stroke):
    along, across = _turned(size, stroke["centre"], stroke["angle"])
    beyond = jnp.maximum(jnp.abs(along) - stroke["length"] / 2, 0)
    distance = jnp.hypot(beyond, across)
    cover = jnp.clip(stroke["width"] - distance + 0.5, 0, 1)[..., None]
    return (1 - cover) * tile + cover * stroke["colour"][None, None], None

  ground = jnp.broadcast_to(drawn["colour"][0][None, None], (size, size, 3))
  tile, _ = jax.lax.scan(place, ground, drawn)
  return tile


FAMILIES: dict[str, tuple[Painter, ...]] = {
  "training": (fractal_noise, dead_leaves, gratings, gradients),
  "held_out": (cells, marble, bricks, strokes),
}
"""Painters by family; nothing is trained on `held_out`."""


def draw_tiles(key: jax.Array, *, family: str, size: int) -> jax.Array:
  """Draws a tile of every kind in a family, with some fractal detail over it.

  Args:
    key: a PRNG key, consumed.
    family: of `FAMILIES`.
    size: S, the tiles' side in pixels, a multiple of 32.

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
  """Samples a tile bilinearly, as if it went on for ever.

  Args:
    tiles: `[K, S, S, 3]`.
    index: `[H, W]` int, which of the tiles.
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
