"""Every kind of texture: range, periodicity, contrast; sampling between pixels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flow.procedural.numbers import draw_numbers
from flow.procedural.textures import FAMILIES
from flow.procedural.tiles import draw_tiles, sample_tile
from tests.support.quick_compile import quick_compile  # noqa: F401

SIZE, COUNT = 64, 6
PAINTERS = [painter for family in FAMILIES.values() for painter in family]


def paint(painter, seed=0):
  keys = jax.random.split(jax.random.key(seed), COUNT)
  return np.asarray(jax.jit(jax.vmap(functools.partial(painter, size=SIZE)))(keys))


@pytest.mark.parametrize("painter", PAINTERS, ids=lambda painter: painter.__name__)
def test_tiles_are_varied_pictures_that_join_themselves(painter):
  tiles = paint(painter)
  assert tiles.shape == (COUNT, SIZE, SIZE, 3) and tiles.dtype == np.float32
  assert tiles.min() >= 0 and tiles.max() <= 1
  assert tiles.std(axis=(1, 2)).max(axis=-1).min() > 0.01  # none of them is flat
  assert np.abs(tiles[0] - tiles[1]).mean() > 0.01
  for axis in (1, 2):
    inside = np.abs(np.diff(tiles, axis=axis)).mean()
    ends = tiles.take([-1, 0], axis=axis)
    assert np.abs(np.diff(ends, axis=axis)).mean() < 2.5 * inside + 0.01


def test_a_seed_gives_the_same_tiles_and_another_seed_others():
  first, again, other = (paint(FAMILIES["training"][1], seed) for seed in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).mean() > 0.05


def test_the_held_out_family_shares_no_painter_with_the_training_family():
  assert not set(FAMILIES["training"]) & set(FAMILIES["held_out"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tile_of_each_kind_is_drawn(family):
  draw = jax.jit(functools.partial(draw_tiles, family=family, size=32))
  tiles = np.asarray(draw(jax.random.key(0)))
  assert tiles.shape == (len(FAMILIES[family]), 32, 32, 3)
  assert tiles.min() >= 0 and tiles.max() <= 1


def test_sampling_is_bilinear_and_goes_round():
  tiles = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
  x = jnp.array([[2.0, 2.5, 7.5, -1.0]])
  y = jnp.array([[3.0, 3.0, 1.0, 8.25]])
  index = jnp.array([[0, 1, 1, 0]])
  sampled = np.asarray(sample_tile(jnp.asarray(tiles), index, x, y))[0]
  np.testing.assert_allclose(sampled[0], tiles[0, 3, 2], atol=1e-6)
  np.testing.assert_allclose(sampled[1], tiles[1, 3, 2:4].mean(axis=0), atol=1e-6)
  np.testing.assert_allclose(sampled[2], tiles[1, 1, [7, 0]].mean(axis=0), atol=1e-6)
  expected = 0.75 * tiles[0, 0, 7] + 0.25 * tiles[0, 1, 7]
  np.testing.assert_allclose(sampled[3], expected, atol=1e-6)


def test_numbers_fill_their_ranges_and_are_independent():
  ranges = {"a": (2, 3), "b": (-1, 1, (4, 500)), "c": (0.0, 0.0)}
  numbers = draw_numbers(jax.random.key(0), ranges)
  assert 2 <= numbers["a"] <= 3 and numbers["a"].shape == ()
  assert numbers["c"] == 0
  drawn = np.asarray(numbers["b"])
  assert drawn.shape == (4, 500) and drawn.min() < -0.95 and drawn.max() > 0.95
  assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.2
