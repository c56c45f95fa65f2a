"""Textured objects over a textured background, rendered as a pair of frames.

Layers are stacked from back to front, the background at index 0. Each has its own
motion, outline and painting. The flow of a pixel is that of the layer on top there;
the pixel is visible in frame 2 if that layer is on top at the end of its flow.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flow.procedural import motions, photometric
from flow.procedural.numbers import draw_numbers
from flow.procedural.shapes import Shape, coverage, draw_shape
from flow.procedural.textures import FAMILIES
from flow.procedural.tiles import draw_tiles, sample_tile

_SMALLEST_TILE = 128
_CAMERA_TURN = 0.012
_OBJECT_TURN = 0.05
_FOLLOWS_CAMERA = 0.8  # share of the objects whose motion adds to the camera's


class FlowPair(NamedTuple):
  """Two frames and the flow between them.

  Attributes:
    first: `[H, W, 3]` float32, RGB in [0, 1].
    second: `[H, W, 3]` float32, RGB in [0, 1].
    flow: `[H, W, 2]` float32, (dx, dy) in pixels from first to second; hidden pixels
      have their true flow.
    visible: `[H, W, 1]` float32, 1 where a pixel of `first` is visible in `second`.
  """

  first: jax.Array
  second: jax.Array
  flow: jax.Array
  visible: jax.Array


class Painting(NamedTuple):
  """How a layer is painted.

  Attributes:
    tile: scalar int, index of the tile.
    placing: `[2, 3]`, from the layer's coordinates to the tile's pixels.
    mixing: `[3, 3]`, mixes the tile's channels around grey.
    base: `[3]`, the colour that a grey tile gets.
  """

  tile: jax.Array
  placing: jax.Array
  mixing: jax.Array
  base: jax.Array


class Layers(NamedTuple):
  """A scene: L layers from back to front, stacked; the first is the background.

  Attributes:
    motion: of each layer.
    shape: of each layer; the background's is ignored.
    painting: of each layer.
    present: `[L]`, 1 if the layer is drawn.
  """

  motion: motions.Motion
  shape: Shape
  painting: Painting
  present: jax.Array


def draw_pair(
  key: jax.Array,
  *,
  height: int,
  width: int,
  strides: Sequence[float] = (1, 3, 5),
  family: str = "training",
  objects: int = 6,
  photometric_changes: bool = True,
) -> FlowPair:
  """Draws a pair of frames with exact flow; pure, for `jit` and `vmap`.

  Args:
    key: a PRNG key, consumed; the same key gives the same pair.
    height: H, pixels.
    width: W, pixels.
    strides: distances of the two in frames, which scale the motion; one is drawn at
      random.
    family: of textures, a key of `FAMILIES`.
    objects: the largest number of objects over the background.
    photometric_changes: False returns the frames as rendered.

  Returns:
    The pair.

  Raises:
    ValueError: the family is unknown, or there are no strides.
  """
  if family not in FAMILIES:
    raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")
  if not strides:
    raise ValueError("draw_pair needs at least one stride")
  stride_key, layer_key, tile_key, change_key = jax.random.split(key, 4)
  choice = jax.random.uniform(stride_key, maxval=len(strides)).astype(jnp.int32)
  stride = jnp.asarray(strides, jnp.float32)[jnp.minimum(choice, len(strides) - 1)]
  layers = draw_layers(
    layer_key,
    height=height,
    width=width,
    stride=stride,
    objects=objects,
    tiles=len(FAMILIES[family]),
  )
  side = max(_SMALLEST_TILE, 2 ** (height - 1).bit_length())
  tiles = draw_tiles(tile_key, family=family, size=side)
  pair = render_pair(layers, tiles, height=height, width=width)
  if not photometric_changes:
    return pair
  first, second = photometric.distort(change_key, pair.first, pair.second)
  return pair._replace(first=first, second=second)


def draw_layers(
  key: jax.Array,
  *,
  height: int,
  width: int,
  stride: jax.Array,
  objects: int,
  tiles: int,
) -> Layers:
  """Draws a scene's motions, outlines and paintings.

  Args:
    key: a PRNG key, consumed.
    height: of the frame, pixels.
    width: of the frame, pixels.
    stride: scalar, distance of the two frames.
    objects: the largest number of objects; L is one more.
    tiles: the number of tiles.

  Returns:
    The layers.
  """
  count = objects + 1
  camera_key, number_key, *keys = jax.random.split(key, 2 + 3 * count)
  drawn = draw_numbers(number_key, {"objects": (0, count), "follows": (0, 1, (count,))})
  middle = jnp.array([width - 1, height - 1], jnp.float32) / 2
  frame = {"height": height, "width": width}
  camera = motions.draw_motion(
    camera_key,
    centre=middle,
    stride=stride,
    speed=motions.CAMERA_SPEED,
    turn=_CAMERA_TURN,
    **frame,
  )

  def draw(
    keys: jax.Array, follows: jax.Array
  ) -> tuple[motions.Motion, Shape, Painting]:
    shape = draw_shape(keys[0], **frame)
    motion = motions.draw_motion(
      keys[1],
      centre=shape.centre,
      stride=stride,
      speed=motions.OBJECT_SPEED,
      turn=_OBJECT_TURN,
      **frame,
    )
    carried = motions.compose(camera.matrix, motion.matrix)
    motion = motion._replace(matrix=jnp.where(follows, carried, motion.matrix))
    return motion, shape, _draw_painting(keys[2], tiles)

  layer_keys = jnp.stack(keys).reshape(count, 3)
  motion, shape, painting = jax.vmap(draw)(
    layer_keys, drawn["follows"] < _FOLLOWS_CAMERA
  )
  motion = jax.tree.map(lambda all_, one: all_.at[0].set(one), motion, camera)
  present = jnp.arange(count) <= jnp.floor(drawn["objects"])
  return Layers(motion, shape, painting, present.astype(jnp.float32))


def _draw_painting(key: jax.Array, tiles: int) -> Painting:
  drawn = draw_numbers(
    key,
    {
      "tile": (0, tiles),
      "scale": (-0.9, 0.1),
      "angle": (0, 2 * math.pi),
      "start": (0, 1000, (2,)),
      "contrast": (-1.2, 0.3),
      "mixing": (-0.4, 0.4, (3, 3)),
      "luma": (0.15, 0.85),
      "chroma": (-0.2, 0.2, (3,)),
    },
  )
  scale, start = jnp.exp(drawn["scale"]), drawn["start"]
  cos, sin = scale * jnp.cos(drawn["angle"]), scale * jnp.sin(drawn["angle"])
  return Painting(
    tile=jnp.minimum(drawn["tile"].astype(jnp.int32), tiles - 1),
    placing=jnp.stack(
      [jnp.stack([cos, -sin, start[0]]), jnp.stack([sin, cos, start[1]])]
    ),
    mixing=jnp.exp(drawn["contrast"]) * (jnp.eye(3) + drawn["mixing"]),
    base=drawn["luma"] + drawn["chroma"],
  )


def render_pair(
  layers: Layers, tiles: jax.Array, *, height: int, width: int
) -> FlowPair:
  """Renders both frames, the exact flow and the visibility.

  Args:
    layers: the scene.
    tiles: `[K, S, S, 3]`, from `draw_tiles`.
    height: H, pixels.
    width: W, pixels.

  Returns:
    The pair, without photometric changes.
  """
  x = jnp.broadcast_to(jnp.arange(width, dtype=jnp.float32), (height, width))
  y = jnp.broadcast_to(jnp.arange(height, dtype=jnp.float32)[:, None], (height, width))
  layer_x, layer_y = jax.vmap(motions.layer_from_first, (0, None, None))(
    layers.motion, x, y
  )
  covers = _covers(layers, layer_x, layer_y)
  first = _paint(layers, tiles, covers, layer_x, layer_y)
  top = _top(covers)
  end_x, end_y = jax.vmap(motions.second_from_layer)(layers.motion, layer_x, layer_y)
  end_x, end_y = _pick(end_x, top), _pick(end_y, top)

  # Which layer is on top where the pixel ends.
  ended = _covers(layers, *_layers_from_second(layers, end_x, end_y))
  inside = (end_x >= 0) & (end_x <= width - 1) & (end_y >= 0) & (end_y <= height - 1)
  visible = (_top(ended) == top) & inside

  back_x, back_y = _layers_from_second(layers, x, y)
  second = _paint(layers, tiles, _covers(layers, back_x, back_y), back_x, back_y)
  return FlowPair(
    first=first,
    second=second,
    flow=jnp.stack([end_x - x, end_y - y], axis=-1),
    visible=visible[..., None].astype(jnp.float32),
  )


def _layers_from_second(
  layers: Layers, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """`[L, H, W]` twice: the point of each layer at a position in frame 2."""
  return jax.vmap(motions.layer_from_second, (0, None, None))(layers.motion, x, y)


def _covers(layers: Layers, x: jax.Array, y: jax.Array) -> jax.Array:
  """`[L, H, W]`: the part of each pixel that a layer would cover alone."""
  covers = jax.vmap(coverage)(layers.shape, x, y) * layers.present[:, None, None]
  return covers.at[0].set(1)


def _top(covers: jax.Array) -> jax.Array:
  """`[H, W]` int: the frontmost layer that covers at least half of the pixel."""
  return _frontmost(covers >= 0.5)


def _frontmost(there: jax.Array) -> jax.Array:
  """`[L, H, W]` bool to `[H, W]` int: the last layer where it is true."""
  return len(there) - 1 - jnp.argmax(there[::-1], axis=0)


def _pick(values: jax.Array, layer: jax.Array) -> jax.Array:
  """`[L, H, W]` to `[H, W]`: each pixel's layer's value. A gather would be slower."""
  own = jnp.arange(len(values))[:, None, None] == layer[None]
  return jnp.sum(jnp.where(own, values, 0), axis=0)


def _paint(
  layers: Layers, tiles: jax.Array, covers: jax.Array, x: jax.Array, y: jax.Array
) -> jax.Array:
  """`[H, W, 3]`: the frontmost layer, blended with the next where it covers a part.

  This takes two samples per pixel instead of one for each layer.
  """
  front = _frontmost(covers > 0)
  index = jnp.arange(len(covers))[:, None, None]
  behind = _frontmost((covers >= 0.5) & ((index < front[None]) | (index == 0)))
  cover = _pick(covers, front)[..., None]
  front_colour = _colour(layers.painting, tiles, front, x, y)
  return cover * front_colour + (1 - cover) * _colour(
    layers.painting, tiles, behind, x, y
  )


def _colour(
  painting: Painting, tiles: jax.Array, layer: jax.Array, x: jax.Array, y: jax.Array
) -> jax.Array:
  """`[H, W, 3]`: each pixel's layer at its position; `x` and `y` are `[L, H, W]`."""
  placing = painting.placing[..., None, None]
  tile_x = placing[:, 0, 0] * x + placing[:, 0, 1] * y + placing[:, 0, 2]
  tile_y = placing[:, 1, 0] * x + placing[:, 1, 1] * y + placing[:, 1, 2]
  tile = sample_tile(
    tiles, painting.tile[layer], _pick(tile_x, layer), _pick(tile_y, layer)
  )
  colour = painting.base[layer]
  for i in range(3):
    colour += (tile[..., i, None] - 0.5) * painting.mixing[:, i][layer]
  return jnp.clip(colour, 0, 1)
