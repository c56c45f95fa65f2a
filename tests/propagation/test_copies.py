"""Copies of the hole over known parts of the clip."""

import numpy as np

from dipvid_jax.propagation.copies import hole_depth, place_copies


def _hole():
  hole = np.zeros((4, 60, 90), bool)
  for t in range(4):
    hole[t, 10:20, 20 + 3 * t : 32 + 3 * t] = True
  return hole


def test_copies_are_shifted_holes_apart_from_each_other_and_the_hole():
  hole = _hole()
  copies = place_copies(hole, count=3, generator=np.random.default_rng(0))
  assert set(np.unique(copies)) == {0, 1, 2, 3} and not copies[hole].any()
  for number in (1, 2, 3):
    copy = copies == number
    assert copy.sum() > 0.8 * hole.sum()
    first = np.argwhere(copy[0]).min(axis=0) - np.argwhere(hole[0]).min(axis=0)
    if copy.sum() == hole.sum() and (np.roll(hole, first, (1, 2)) == copy).all():
      break
  else:
    raise AssertionError("no copy has the hole's shape and motion")


def test_a_large_hole_has_one_copy_and_a_full_frame_none():
  large = np.zeros((2, 40, 40), bool)
  large[:, 5:35, 5:35] = True
  copies = place_copies(large, count=3, generator=np.random.default_rng(0))
  assert copies.max() == 1 and not copies[large].any()
  full = np.ones((2, 40, 40), bool)
  assert not place_copies(full, count=3, generator=np.random.default_rng(0)).any()


def test_depth_is_the_distance_to_what_is_known():
  hole = np.zeros((1, 9, 9), bool)
  hole[0, 2:7, 2:7] = True
  depth = hole_depth(hole)
  assert depth[0, 4, 4] == 3 and depth[0, 2, 2] == 1 and depth[0, 0, 0] == 0
