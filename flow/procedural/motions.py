"""Motions whose flow is a formula in both directions.

A layer has coordinates of its own. Frame 1 sees them through a smooth deformation D,
frame 2 through a homography H: pixel p of frame 1 shows the layer's point D(p), and
that point is at H(D(p)) in frame 2. So the flow of p is H(D(p)) - p, exactly, and
both frames are drawn from the layer by D and by H's inverse; D is never inverted.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flow.procedural.numbers import draw_numbers

_RIPPLES = 3
# The steepest that a ripple is at stride 1. Three of them at stride 5 stay below a
# slope of 0.41: the deformation does not fold.
_SLOPE = 0.06
_SPREAD = 3**0.5  # of a uniform distribution of standard deviation 1

# Pixels a frame, log-uniform. Measured by DIS on DAVIS bmx-trees at 192 x 384: the
# frame's median flow has its 90th percentile at 12.7, 37.6 and 58.8 pixels for
# strides 1, 3, 5, and what moves against it its 99th at 8.6, 16.5 and 44.9.
CAMERA_SPEED = (0.25, 13.0)
OBJECT_SPEED = (0.15, 9.0)


class Motion(NamedTuple):
  """One layer's motion from frame 1 to frame 2.

  Attributes:
    matrix: `[3, 3]`, from the layer's coordinates to frame 2's, homogeneous pixels.
    ripples: `[3, 2]`, pixels: how far each ripple of D moves a point in x and y.
    waves: `[3, 2]`, radians a pixel: the ripples' directions.
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
    centre: `[2]` (x, y), pixels; rotation and zoom leave it where it is.
    stride: scalar, frames between the two; the translation grows with it, all else
      with its square root.
    speed: the slowest and the fastest translation, pixels a frame.
    turn: one standard deviation at stride 1, of the rotation in radians, of the
      zoom's logarithm, and of twice the perspective's change of scale from the centre
      to a corner of the frame.
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
  lengths = half * jnp.exp(drawn["lengths"])[:, None]  # pixels a wave
  heights = growth * _SLOPE * drawn["slopes"][:, None] ** 2 * lengths / (2 * math.pi)
  return Motion(
    matrix=matrix,
    ripples=heights * _direction(drawn["sides"]),
    waves=2 * math.pi / lengths * _direction(drawn["directions"]),
    phases=drawn["phases"],
  )


def _direction(angle):
  return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def compose(*matrices: jax.Array) -> jax.Array:
  """The product of `[3, 3]` matrices, in full float32 on every device."""
  product = matrices[0]
  for matrix in matrices[1:]:
    product = jnp.matmul(product, matrix, precision=jax.lax.Precision.HIGHEST)
  return product


def _rows(*rows):
  return jnp.stack([jnp.stack(row) for row in rows])


def _translation(shift):
  one, zero = jnp.ones(()), jnp.zeros(())
  return _rows((one, zero, shift[0]), (zero, one, shift[1]), (zero, zero, one))


def layer_from_first(
  motion: Motion, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """D: the point of the layer that is at a position of frame 1.

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
  """H: where in frame 2 a point of the layer is.

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
  """H's inverse: the point of the layer that is at a position of frame 2.

  Args:
    motion: of one layer.
    x: `[H, W]` float, pixels of frame 2.
    y: `[H, W]` float, likewise.

  Returns:
    `(x, y)`, `[H, W]` each, in the layer's coordinates.
  """
  return _project(_inverse(motion.matrix), x, y)


def _inverse(matrix):
  """The adjugate over the determinant: no solver, so no reduced precision on a GPU."""
  a, b, c = matrix
  columns = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
  return columns / jnp.sum(a * columns[:, 0])


def _project(matrix, x, y):
  scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
  # Far outside of the frame a strong perspective could turn a point inside out.
  scale = jnp.maximum(scale, 0.1)
  return (
    (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / scale,
    (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / scale,
  )
