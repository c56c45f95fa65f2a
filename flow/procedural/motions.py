"""Motions whose flow is a formula in both directions.

Each layer has its own coordinates. Frame 1 shows them through a smooth deformation D,
frame 2 through a homography H: pixel p of frame 1 shows the layer's point D(p), which
is at H(D(p)) in frame 2. The flow of p is therefore exactly H(D(p)) - p. The frames
are rendered with D and the inverse of H; D is never inverted.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flow.procedural.numbers import draw_numbers

_RIPPLES = 3
# The steepest slope of a ripple at stride 1. Three ripples at stride 5 stay below a
# slope of 0.41, so the deformation does not fold.
_SLOPE = 0.06
_SPREAD = 3**0.5  # half-width of a uniform distribution of standard deviation 1

# Pixels per frame, log-uniform. For comparison, DIS on DAVIS bmx-trees at 192 x 384:
# at strides 1, 3, 5 the median flow of a frame has its 90th percentile at 12.7, 37.6
# and 58.8 pixels, and motion relative to it its 99th at 8.6, 16.5 and 44.9.
CAMERA_SPEED = (0.25, 13.0)
OBJECT_SPEED = (0.15, 9.0)


class Motion(NamedTuple):
  """One layer's motion from frame 1 to frame 2.

  Attributes:
    matrix: `[3, 3]`, from the layer's coordinates to frame 2's, homogeneous pixels.
    ripples: `[3, 2]`, pixels: the amplitude of each ripple of D in x and y.
    waves: `[3, 2]`, radians per pixel: the wave vector of each ripple.
    phases: `[3]`, radians.
  """

  matrix: jax.Array
  ripples: jax.Array
  waves: jax.Array
  phases: jax.Array


def draw_motion(
  key: jax.Array,
  *,
  centre: jax.Array,
  stride: jax.Array,
  speed: tuple[float, float],
  turn: float,
  height: int,
  width: int,
) -> Motion:
  """Draws a motion: translation, rotation, zoom, perspective and a deformation.

  Args:
    key: a PRNG key, consumed.
    centre: `[2]` (x, y), pixels; the fixed point of rotation and zoom.
    stride: scalar, distance of the two in frames; the translation grows with it,
      everything else with its square root.
    speed: the slowest and the fastest translation, pixels per frame.
    turn: standard deviation at stride 1 of the rotation in radians, of the logarithm
      of the zoom, and of twice the change of scale by perspective between the centre
      and a corner of the frame.
    height: of the frame, pixels.
    width: of the frame, pixels.

  Returns:
    The motion.
  """
  drawn = draw_numbers(
    key,
    {
      "speed": (math.log(speed[0]), math.log(speed[1])),
      "heading": (0, 2 * math.pi),
      "turns": (-_SPREAD, _SPREAD, (4,)),
      "slopes": (0, 1, (_RIPPLES,)),
      "lengths": (-1.5, 0, (_RIPPLES,)),
      "directions": (0, 2 * math.pi, (_RIPPLES,)),
      "sides": (0, 2 * math.pi, (_RIPPLES,)),
      "phases": (0, 2 * math.pi, (_RIPPLES,)),
    },
  )
  growth = jnp.sqrt(stride)
  # Cameras pan more than they tilt.
  shift = stride * jnp.exp(drawn["speed"]) * _direction(drawn["heading"])
  shift *= jnp.array([1.0, 0.7])
  angle, zoom, tilt_x, tilt_y = turn * growth * drawn["turns"]
  cos, sin = jnp.exp(zoom) * jnp.cos(angle), jnp.exp(zoom) * jnp.sin(angle)
  half = (height**2 + width**2) ** 0.5 / 2
  one, zero = jnp.ones(()), jnp.zeros(())
  matrix = compose(
    _translation(centre + shift),
    _rows(
      (one, zero, zero), (zero, one, zero), (tilt_x / 2 / half, tilt_y / 2 / half, one)
    ),
    _rows((cos, -sin, zero), (sin, cos, zero), (zero, zero, one)),
    _translation(-centre),
  )
  lengths = half * jnp.exp(drawn["lengths"])[:, None]  # pixels per wave
  heights = growth * _SLOPE * drawn["slopes"][:, None] ** 2 * lengths / (2 * math.pi)
  return Motion(
    matrix=matrix,
    ripples=heights * _direction(drawn["sides"]),
    waves=2 * math.pi / lengths * _direction(drawn["directions"]),
    phases=drawn["phases"],
  )


def _direction(angle: jax.Array) -> jax.Array:
  """The unit vector(s) `[.., 2]` at an angle `[..]`."""
  return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def compose(*matrices: jax.Array) -> jax.Array:
  """The product of `[3, 3]` matrices, in full float32 on every device."""
  product = matrices[0]
  for matrix in matrices[1:]:
    product = jnp.matmul(product, matrix, precision=jax.lax.Precision.HIGHEST)
  return product


def _rows(*rows: tuple[jax.Array, ...]) -> jax.Array:
  return jnp.stack([jnp.stack(row) for row in rows])


def _translation(shift: jax.Array) -> jax.Array:
  one, zero = jnp.ones(()), jnp.zeros(())
  return _rows((one, zero, shift[0]), (zero, one, shift[1]), (zero, zero, one))


def layer_from_first(
  motion: Motion, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """D: the layer's point at a position in frame 1.

  Args:
    motion: of one layer.
    x: `[H, W]` float, pixels.
    y: `[H, W]` float, pixels.

  Returns:
    `(x, y)`, `[H, W]` each, in the layer's coordinates.
  """
  layer_x, layer_y = x, y
  for i in range(_RIPPLES):
    wave, ripple = motion.waves[i], motion.ripples[i]
    swing = jnp.sin(wave[0] * x + wave[1] * y + motion.phases[i])
    layer_x, layer_y = layer_x + ripple[0] * swing, layer_y + ripple[1] * swing
  return layer_x, layer_y


def second_from_layer(
  motion: Motion, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """H: the position in frame 2 of a layer's point.

  Args:
    motion: of one layer.
    x: `[H, W]` float, in the layer's coordinates.
    y: `[H, W]` float, likewise.

  Returns:
    `(x, y)`, `[H, W]` each, pixels of frame 2.
  """
  return _project(motion.matrix, x, y)


def layer_from_second(
  motion: Motion, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The inverse of H: the layer's point at a position in frame 2.

  Args:
    motion: of one layer.
    x: `[H, W]` float, pixels of frame 2.
    y: `[H, W]` float, likewise.

  Returns:
    `(x, y)`, `[H, W]` each, in the layer's coordinates.
  """
  return _project(_inverse(motion.matrix), x, y)


def _inverse(matrix: jax.Array) -> jax.Array:
  """Adjugate over determinant: a solver would have reduced precision on a GPU."""
  a, b, c = matrix
  columns = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
  return columns / jnp.sum(a * columns[:, 0])


def _project(
  matrix: jax.Array, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
  # Far outside the frame a strong perspective could make the scale negative.
  scale = jnp.maximum(scale, 0.1)
  return (
    (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / scale,
    (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / scale,
  )
