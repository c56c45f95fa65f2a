"""Random outlines: blobs, polygons and rings, as functions of position."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flow.procedural.numbers import draw_numbers

_WAVES = 5
_MOST_CORNERS = 5


class Shape(NamedTuple):
  """An outline around a centre: a radius by angle, about 1 at most.

  Attributes:
    centre: `[2]` (x, y), pixels.
    axes: `[2]`, pixels per unit along the shape's own x and y.
    angle: scalar, radians.
    waves: `[5]`, amplitude of the outline's waves, 2, 3, .. 6 of them per turn.
    phases: `[5]`, radians.
    corners: scalar, number of corners of a regular polygon; 0 for a circle.
    ring: scalar, radius of the hole in the middle, as a part of the outline's.
  """

  centre: jax.Array
  axes: jax.Array
  angle: jax.Array
  waves: jax.Array
  phases: jax.Array
  corners: jax.Array
  ring: jax.Array


def draw_shape(key: jax.Array, *, height: int, width: int) -> Shape:
  """Draws an outline whose centre is inside the frame.

  Args:
    key: a PRNG key, consumed.
    height: of the frame, pixels.
    width: of the frame, pixels.

  Returns:
    The shape. Its radius is 0.06 to 0.41 of the geometric mean of the frame's sides;
    it is up to five times as long as wide.
  """
  drawn = draw_numbers(
    key,
    {
      "radius": (-2.8, -0.9),
      "stretch": (-0.8, 0.8),
      "centre": (0, 1, (2,)),
      "angle": (0, 2 * math.pi),
      "waves": (-0.6, 0.6, (_WAVES,)),
      "phases": (0, 2 * math.pi, (_WAVES,)),
      "kind": (0, 1),
      "is_ring": (0, 1),
      "ring": (0.3, 0.8),
    },
  )
  radius = (height * width) ** 0.5 * jnp.exp(drawn["radius"])
  stretch = jnp.exp(drawn["stretch"])
  # Half of the shapes are round; the others have three, four or five corners.
  kind = jnp.searchsorted(jnp.array([0.5, 0.65, 0.9]), drawn["kind"])
  return Shape(
    centre=drawn["centre"] * jnp.array([width, height], jnp.float32),
    axes=radius * jnp.stack([stretch, 1 / stretch]),
    angle=drawn["angle"],
    waves=drawn["waves"] / jnp.arange(2, 2 + _WAVES),
    phases=drawn["phases"],
    corners=jnp.array([0.0, 3.0, 4.0, 5.0])[kind],
    ring=jnp.where(drawn["is_ring"] < 0.15, drawn["ring"], 0.0),
  )


def coverage(shape: Shape, x: jax.Array, y: jax.Array) -> jax.Array:
  """The part of each pixel that the shape covers.

  Args:
    shape: one shape.
    x: `[H, W]` float, pixels.
    y: `[H, W]` float, pixels.

  Returns:
    `[H, W]` in [0, 1]; 0.5 on the outline, with a ramp of one pixel across it.
  """
  dx, dy = x - shape.centre[0], y - shape.centre[1]
  cos, sin = jnp.cos(shape.angle), jnp.sin(shape.angle)
  along = (cos * dx + sin * dy) / shape.axes[0]
  across = (cos * dy - sin * dx) / shape.axes[1]
  radius = jnp.hypot(along, across) + 1e-6
  # Cosine and sine of the direction's multiples by recurrence: trigonometric functions
  # of every pixel would cost more than everything else.
  cos, sin = along / radius, across / radius
  outline = jnp.ones_like(radius)
  multiple_cos, multiple_sin = cos, sin
  for i in range(_WAVES):
    multiple_cos, multiple_sin = (
      multiple_cos * cos - multiple_sin * sin,
      multiple_sin * cos + multiple_cos * sin,
    )
    wave, phase = shape.waves[i], shape.phases[i]
    outline += wave * (multiple_cos * jnp.cos(phase) - multiple_sin * jnp.sin(phase))
  outline = jnp.maximum(outline * _polygon(shape.corners, cos, sin), 0.05)
  # Pixels to the outline along the ray from the centre.
  unit = (jnp.hypot(dx, dy) + 1e-6) / radius
  outer = jnp.clip((outline - radius) * unit + 0.5, 0, 1)
  inner = jnp.clip((radius - shape.ring * outline) * unit + 0.5, 0, 1)
  return outer * jnp.where(shape.ring > 0, inner, 1)


def _polygon(corners: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
  """The radius of a regular polygon in each direction; 1 without corners."""
  half = math.pi / jnp.maximum(corners, 1)
  towards_side = -jnp.ones_like(cos)
  for i in range(_MOST_CORNERS):  # beyond the last side, the first ones repeat
    middle = (2 * i + 1) * half
    side = cos * jnp.cos(middle) + sin * jnp.sin(middle)
    towards_side = jnp.maximum(towards_side, side)
  return jnp.where(corners > 0, jnp.cos(half) / jnp.maximum(towards_side, 0.1), 1)
