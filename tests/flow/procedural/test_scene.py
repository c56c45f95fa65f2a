"""Rendered pairs: the flow is exact, visibility and order are right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow import backward_warp
from flow.procedural import FlowPair, draw_pair
from flow.procedural.motions import Motion
from flow.procedural.scene import Layers, Painting, render_pair
from flow.procedural.shapes import Shape
from tests.support.quick_compile import quick_compile  # noqa: F401

HEIGHT, WIDTH, COUNT = 64, 80, 8


@pytest.fixture(scope="module")
def draw():
  """Draws pairs as they are rendered, from a seed; compiled once."""
  one = functools.partial(
    draw_pair, height=HEIGHT, width=WIDTH, strides=(1, 3), photometric_changes=False
  )
  draw_all = jax.jit(jax.vmap(one))

  def from_seed(seed):
    pairs = draw_all(jax.random.split(jax.random.key(seed), COUNT))
    return jax.tree.map(np.asarray, pairs)

  return from_seed


@pytest.fixture(scope="module")
def pairs(draw):
  return draw(0)


def test_shapes_types_and_ranges(pairs):
  shapes = [(COUNT, HEIGHT, WIDTH, channels) for channels in (3, 3, 2, 1)]
  assert [field.shape for field in pairs] == shapes
  assert {field.dtype.name for field in pairs} == {"float32"}
  assert np.isfinite(pairs.flow).all()
  for frame in (pairs.first, pairs.second):
    assert frame.min() >= 0 and frame.max() <= 1 and frame.std() > 0.1
  assert set(np.unique(pairs.visible)) == {0, 1} and pairs.visible.mean() > 0.5


def test_the_second_frame_warped_by_the_flow_is_the_first_where_visible(pairs):
  warped, _ = map(np.asarray, backward_warp(pairs.second, pairs.flow))
  seen = pairs.visible[..., 0] > 0
  difference = np.abs(warped - pairs.first).max(axis=-1)
  still = np.abs(pairs.second - pairs.first).max(axis=-1)
  # Interpolation blurs edges and fine textures; all else must agree.
  assert np.median(difference[seen]) < 0.01 and difference[seen].mean() < 0.03
  assert (difference[seen] > 0.1).mean() < 0.07
  assert difference[seen].mean() < 0.35 * still[seen].mean()
  assert difference[~seen].mean() > 2 * difference[seen].mean()


def test_what_is_visible_ends_inside_of_the_frame(pairs):
  x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
  ends = pairs.flow + np.stack([x, y], -1)
  inside = (ends >= 0).all(-1) & (ends <= [WIDTH - 1, HEIGHT - 1]).all(-1)
  assert not (~inside & (pairs.visible[..., 0] > 0)).any() and (~inside).any()


def test_a_seed_gives_the_same_pairs_and_another_seed_others(draw, pairs):
  again, other = draw(0), draw(1)
  jax.tree.map(np.testing.assert_array_equal, again, pairs)
  for field in ("first", "flow"):
    assert np.abs(getattr(other, field) - getattr(pairs, field)).mean() > 0.1


def test_objects_move_against_the_background(pairs):
  median = np.median(pairs.flow, axis=(1, 2), keepdims=True)
  apart = np.linalg.norm(pairs.flow - median, axis=-1) > 1
  assert 0.02 < apart.mean() < 0.8


@pytest.mark.parametrize(
  ("settings", "reason"),
  [({"family": "paisley"}, "family must be one of training, held_out"),
   ({"strides": ()}, "at least one stride")],
)  # fmt: skip
def test_refuses_what_it_cannot_draw(settings, reason):
  with pytest.raises(ValueError, match=reason):
    draw_pair(jax.random.key(0), height=64, width=64, **settings)


def _stack(value, *shape):
  return jnp.full((_LAYERS, *shape), value, jnp.float32)


_LAYERS = 3
_render = jax.jit(functools.partial(render_pair, height=48, width=64))


def render_discs(*layers):
  """Discs (x, y, radius) of plain grey that move by (dx, dy), the background first."""
  discs, steps = (np.zeros((_LAYERS, size), np.float32) for size in (3, 2))
  discs[:] = 1
  for i, (disc, step) in enumerate(layers):
    discs[i], steps[i] = disc, step
  matrix = _stack(np.eye(3), 3, 3).at[:, :2, 2].set(steps)
  scene = Layers(
    motion=Motion(matrix, _stack(0, 3, 2), _stack(0, 3, 2), _stack(0, 3)),
    shape=Shape(
      centre=jnp.asarray(discs[:, :2]),
      axes=jnp.asarray(np.repeat(discs[:, 2:], 2, axis=1)),
      angle=_stack(0),
      waves=_stack(0, 5),
      phases=_stack(0, 5),
      corners=_stack(0),
      ring=_stack(0),
    ),
    painting=Painting(
      tile=jnp.zeros(_LAYERS, jnp.int32),
      placing=_stack(0, 2, 3),
      mixing=_stack(0, 3, 3),
      base=jnp.linspace(0.1, 0.9, _LAYERS)[:, None] * jnp.ones((1, 3)),
    ),
    present=(jnp.arange(_LAYERS) < len(layers)).astype(jnp.float32),
  )
  return FlowPair(*map(np.asarray, _render(scene, jnp.full((1, 8, 8, 3), 0.5))))


GROUND = ((0, 0, 1), (0, 0))
STILL = ((40, 24, 12), (0, 0))
MOVING = ((14, 24, 8), (24, 0))  # ends at (38, 24), inside of the still disc
X, Y = np.meshgrid(np.arange(64), np.arange(48))


def in_disc(x, y, radius):
  return np.hypot(X - x, Y - y) <= radius


def certain(*discs):
  """Pixels away from all outlines."""
  distances = [np.abs(np.hypot(X - x, Y - y) - r) for x, y, r in discs]
  return np.min(distances, axis=0) > 1


@pytest.mark.parametrize("moving_in_front", [True, False])
def test_what_ends_behind_a_layer_in_front_is_hidden(moving_in_front):
  objects = (STILL, MOVING) if moving_in_front else (MOVING, STILL)
  pair = render_discs(GROUND, *objects)
  before, after, still = in_disc(14, 24, 8), in_disc(38, 24, 8), in_disc(40, 24, 12)
  clear = certain((14, 24, 8), (38, 24, 8), (40, 24, 12))
  hidden = still & after if moving_in_front else before
  np.testing.assert_array_equal(pair.visible[..., 0][clear], ~hidden[clear])
  np.testing.assert_array_equal(pair.flow[..., 0][clear], 24 * before[clear])
  # Frame 2: what is in front is what is seen.
  level = {False: 0.1, True: 0.9}
  front = after if moving_in_front else still
  behind = still if moving_in_front else after
  expected = np.where(front, level[True], np.where(behind, 0.5, level[False]))
  np.testing.assert_allclose(pair.second[clear][:, 0], expected[clear], atol=1e-5)


def test_what_leaves_the_frame_is_hidden():
  pair = render_discs(((0, 0, 1), (10, 0)))
  np.testing.assert_array_equal(pair.visible[..., 0], X < 54)


def test_an_absent_layer_shows_nowhere():
  alone, with_disc = render_discs(GROUND), render_discs(GROUND, STILL)
  assert np.ptp(alone.first) == 0 and (alone.visible == 1).all()
  clear = certain((40, 24, 12))
  expected = np.where(in_disc(40, 24, 12), 0.5, 0.1)
  np.testing.assert_allclose(with_disc.first[clear][:, 0], expected[clear], atol=1e-5)
