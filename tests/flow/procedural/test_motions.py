"""Motions and outlines against plain formulas."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.procedural import motions
from flow.procedural.shapes import Shape, coverage, draw_shape
from tests.support.quick_compile import quick_compile  # noqa: F401

HEIGHT, WIDTH = 192, 384
MIDDLE = jnp.array([WIDTH / 2, HEIGHT / 2])


@pytest.fixture(scope="module")
def draw_cameras():
  """Draws many motions of the camera at a stride; compiled once."""

  def draw(key, stride):
    return motions.draw_motion(
      key,
      centre=MIDDLE,
      stride=stride,
      speed=motions.CAMERA_SPEED,
      turn=0.012,
      height=HEIGHT,
      width=WIDTH,
    )

  draw_all = jax.jit(jax.vmap(draw, (0, None)))
  keys = jax.random.split(jax.random.key(0), 512)
  return lambda stride: draw_all(keys, jnp.float32(stride))


def at(function, motion, x, y):
  """Positions `[N, P]` of P points under each of the N motions."""
  points = (jnp.float32(x)[None], jnp.float32(y)[None])
  moved = jax.vmap(functools.partial(function), (0, None, None))(motion, *points)
  return np.stack([np.asarray(axis)[:, 0] for axis in moved], axis=-1)


# DIS on DAVIS bmx-trees at 192 x 384: the 10th and 90th percentile of the median flow
# of a pair of frames, in pixels.
@pytest.mark.parametrize(
  ("stride", "slow", "fast"), [(1, 4.42, 12.68), (3, 13.91, 37.62), (5, 16.78, 58.81)]
)
def test_the_cameras_speed_reaches_that_of_a_real_clip(
  draw_cameras, stride, slow, fast
):
  ends = at(motions.second_from_layer, draw_cameras(stride), [MIDDLE[0]], [MIDDLE[1]])
  speed = np.linalg.norm(ends[:, 0] - np.asarray(MIDDLE), axis=-1)
  assert speed.max() <= 13 * stride * 1.001
  assert (speed > slow).mean() > 0.15 and 0.001 < (speed > fast).mean() < 0.1
  assert (speed < stride).mean() > 0.25  # slow clips are as common


def test_the_way_back_undoes_the_way_there(draw_cameras):
  motion = draw_cameras(5)
  x, y = np.meshgrid(np.linspace(-20, WIDTH + 20, 7), np.linspace(-20, HEIGHT + 20, 5))
  ends = at(motions.second_from_layer, motion, x.ravel(), y.ravel())
  back = jax.vmap(motions.layer_from_second)(
    motion, ends[:, None, :, 0], ends[:, None, :, 1]
  )
  expected = np.broadcast_to(np.stack([x.ravel(), y.ravel()], -1), ends.shape)
  np.testing.assert_allclose(np.stack(back, -1)[:, 0], expected, atol=2e-3)


def test_the_deformation_moves_points_and_never_folds(draw_cameras):
  motion = draw_cameras(5)
  axis_x, axis_y = np.arange(0, WIDTH, 8.0), np.arange(0, HEIGHT, 8.0)
  x, y = np.meshgrid(axis_x, axis_y)
  there = at(motions.layer_from_first, motion, x.ravel(), y.ravel())
  there = there.reshape(-1, *x.shape, 2)
  shift = np.linalg.norm(there - np.stack([x, y], -1), axis=-1)
  assert 0.3 < shift.max(axis=(1, 2)).mean() < 10
  along = np.diff(there, axis=2)[:, :-1] / 8
  down = np.diff(there, axis=1)[:, :, :-1] / 8
  area = along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0]
  assert area.min() > 0.1


def still_shape(**fields):
  plain = {
    "centre": jnp.array([32.0, 30.0]),
    "axes": jnp.array([12.0, 12.0]),
    "angle": 0.0,
    "waves": jnp.zeros(5),
    "phases": jnp.zeros(5),
    "corners": 0.0,
    "ring": 0.0,
  }
  return Shape(**(plain | fields))


X, Y = np.meshgrid(np.arange(64.0), np.arange(60.0))
RADIUS = np.hypot(X - 32, Y - 30)


def covered(**fields):
  return np.asarray(coverage(still_shape(**fields), jnp.float32(X), jnp.float32(Y)))


def test_a_disc_and_a_ring_are_where_their_radii_say():
  np.testing.assert_allclose(covered(), np.clip(12.5 - RADIUS, 0, 1), atol=1e-3)
  inner = np.clip(RADIUS - 6 + 0.5, 0, 1)
  expected = np.clip(12.5 - RADIUS, 0, 1) * inner
  np.testing.assert_allclose(covered(ring=0.5), expected, atol=1e-3)


def test_an_ellipse_is_turned_by_its_angle():
  angle = 0.5
  cover = covered(axes=jnp.array([20.0, 5.0]), angle=angle)
  mass = cover.sum()
  moments = [
    (cover * a * b).sum() / mass
    for a, b in ((X - 32, X - 32), (X - 32, Y - 30), (Y - 30, Y - 30))
  ]
  assert mass == pytest.approx(math.pi * 100, rel=0.02)
  turned = 0.5 * math.atan2(2 * moments[1], moments[0] - moments[2])
  assert turned == pytest.approx(angle, abs=0.02)


@pytest.mark.parametrize("corners", [3, 4, 5])
def test_a_polygon_has_its_area(corners):
  area = corners / 2 * 12**2 * math.sin(2 * math.pi / corners)
  assert covered(corners=float(corners)).sum() == pytest.approx(area, rel=0.03)


@pytest.mark.parametrize("wave", range(5))
def test_a_wave_swings_the_outline(wave):
  waves = jnp.zeros(5).at[wave].set(0.2)
  phases = jnp.zeros(5).at[wave].set(0.7)
  angle = np.arctan2(Y - 30, X - 32)
  outline = 12 * (1 + 0.2 * np.cos((wave + 2) * angle + 0.7))
  cover = covered(waves=waves, phases=phases)
  clear = np.abs(RADIUS - outline) > 1
  np.testing.assert_array_equal(cover[clear] > 0.5, (outline > RADIUS)[clear])


def test_drawn_shapes_are_of_many_sizes_inside_the_frame():
  draw = functools.partial(draw_shape, height=HEIGHT, width=WIDTH)
  shapes = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 400))
  centre, radius = np.asarray(shapes.centre), np.asarray(shapes.axes).prod(-1) ** 0.5
  assert (centre >= 0).all() and (centre <= [WIDTH, HEIGHT]).all()
  side = (HEIGHT * WIDTH) ** 0.5
  assert radius.min() < 0.07 * side and 0.38 * side < radius.max() < 0.41 * side
  shares = [(np.asarray(shapes.corners) == n).mean() for n in (0, 3, 4, 5)]
  np.testing.assert_allclose(shares, [0.5, 0.15, 0.25, 0.1], atol=0.08)
