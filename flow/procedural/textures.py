"""Procedural textures: periodic square tiles, RGB in [0, 1].

Opposite borders of a tile match, so it can paint a layer of any size. The training
family and the held-out family share no kind of texture.
"""

import math
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from flow.procedural.numbers import draw_numbers

_LEAVES = 72
_CELLS = 64
_STROKES = 72

_Numbers = dict[str, jax.Array]
_CellState = tuple[jax.Array, jax.Array, jax.Array]  # tile, distances to two points


class Painter(Protocol):
  """Draws a texture; every function of `FAMILIES` does."""

  def __call__(self, key: jax.Array, *, size: int) -> jax.Array:
    """Draws a tile.

    Args:
      key: a PRNG key, consumed.
      size: S, the side of the tile in pixels, a multiple of 32.

    Returns:
      `[S, S, 3]` float32, RGB in [0, 1].
    """
    ...


def _wrapped(size: int, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
  """`([S, S], [S, S])`: the shortest offset from (x, y) to each pixel, wrapping."""
  axis = jnp.arange(size, dtype=jnp.float32)
  half = size / 2
  dx = jnp.broadcast_to((axis - x + half) % size - half, (size, size))
  dy = jnp.broadcast_to(((axis - y + half) % size - half)[:, None], (size, size))
  return dx, dy


def _turned(
  size: int, centre: jax.Array, angle: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The offset of `_wrapped`, along a direction and across it."""
  dx, dy = _wrapped(size, *centre)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return cos * dx + sin * dy, cos * dy - sin * dx


def _phase(size: int, waves: jax.Array, shift: jax.Array) -> jax.Array:
  """`[S, S]`: 2 pi (waves . position / S) + shift; periodic for integer waves."""
  axis = jnp.arange(size, dtype=jnp.float32) / size
  x = jnp.broadcast_to(axis, (size, size))
  return 2 * jnp.pi * (waves[0] * x + waves[1] * x.T) + shift


def _colours(numbers: jax.Array) -> jax.Array:
  """`[N, 4]` in [0, 1] to `[N, 3]` RGB: a luma, and chroma that is rarely strong."""
  luma, chroma = numbers[:, :1], numbers[:, 1:]
  return jnp.clip(luma + 0.6 * (chroma - 0.5), 0, 1)


def _between_colours(position: jax.Array, numbers: jax.Array) -> jax.Array:
  """`[S, S]` in [0, 1] to `[S, S, 3]`, between the colours of two rows `[2, 4]`."""
  weight, colours = position[..., None], _colours(numbers)
  return (1 - weight) * colours[0][None, None] + weight * colours[1][None, None]


def fractal_noise(key: jax.Array, *, size: int) -> jax.Array:
  """Noise whose amplitude falls with a random power of frequency."""
  number_key, noise_key = jax.random.split(key)
  drawn = draw_numbers(number_key, {"exponent": (0.6, 2.2), "grey": (0, 1)})
  axis = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
  frequency = np.hypot(*axis)
  frequency[0, 0] = np.inf  # no constant part: the mean is set below
  amplitude = jnp.asarray(frequency, jnp.float32) ** -drawn["exponent"]
  white = jax.random.normal(noise_key, (3, size, size))
  noise = jnp.fft.irfft2(jnp.fft.rfft2(white) * amplitude[None], s=(size, size))
  noise /= jnp.std(noise, axis=(1, 2), keepdims=True)
  noise = drawn["grey"] * noise[:1] + (1 - drawn["grey"]) * noise
  return jnp.clip(0.5 + 0.2 * jnp.moveaxis(noise, 0, -1), 0, 1)


def dead_leaves(key: jax.Array, *, size: int) -> jax.Array:
  """Discs and boxes of many sizes that hide one another.

  Reference: Lee, Mumford and Huang, Occlusion models for natural images, IJCV 2001.
  """
  leaves = draw_numbers(
    key,
    {
      # Uniform in the inverse radius, so the density of radii falls as r^-2.
      "curvature": (4 / size, 1 / 3, (_LEAVES,)),
      "centre": (0, size, (_LEAVES, 2)),
      "angle": (0, 2 * math.pi, (_LEAVES,)),
      "aspect": (0.4, 1, (_LEAVES,)),
      "box": (0, 1, (_LEAVES,)),
      "colour": (0, 1, (_LEAVES, 4)),
    },
  )
  leaves["curvature"] = jnp.sort(leaves["curvature"])  # small ones on top
  leaves["colour"] = _colours(leaves["colour"])

  def place(tile: jax.Array, leaf: _Numbers) -> tuple[jax.Array, None]:
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
  """Stripes, or checks of two gratings; random direction, period and sharpness."""
  most = size // 8 + 0.5  # no period is below eight pixels
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
  return _between_colours(0.5 + 0.5 * first * second, drawn["colours"])


def gradients(key: jax.Array, *, size: int) -> jax.Array:
  """Smooth changes of colour over the whole tile, as in sky and plain walls."""
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
  """Cells around random points, dark where two cells meet.

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

  def place(carry: _CellState, cell: _Numbers) -> tuple[_CellState, None]:
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
  """Veins: a wave whose phase is shifted by noise."""
  number_key, noise_key = jax.random.split(key)
  drawn = draw_numbers(
    number_key,
    {"waves": (-6.5, 6.5, (2,)), "strength": (5, 25), "colours": (0, 1, (2, 4))},
  )
  shift = drawn["strength"] * fractal_noise(noise_key, size=size)[..., 0]
  veins = 0.5 + 0.5 * jnp.sin(_phase(size, jnp.round(drawn["waves"]), shift))
  return _between_colours(veins, drawn["colours"])


def bricks(key: jax.Array, *, size: int) -> jax.Array:
  """Rows of bricks of random colours in mortar, every other row shifted."""
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
  """Straight brush strokes on a plain ground."""
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

  def place(tile: jax.Array, stroke: _Numbers) -> tuple[jax.Array, None]:
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
