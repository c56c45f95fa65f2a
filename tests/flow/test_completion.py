"""Flow completed smoothly in the hole."""

import dataclasses

import numpy as np

from flow import PairFlow, complete_video_flow
from flow.completion import fill_smoothly

_H, _W = 40, 56


def _disc(y, x, radius):
  rows, columns = np.mgrid[:_H, :_W]
  return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def test_a_linear_field_is_completed_exactly():
  """A membrane through a plane is that plane: its mean of neighbours is itself."""
  rows, columns = np.mgrid[:_H, :_W].astype(np.float32)
  field = np.stack([0.1 * rows - 0.2 * columns, 0.05 * columns + 1], axis=-1)
  unknown = _disc(20, 28, 9)
  garbage = np.where(unknown[..., None], 99, field)
  filled = fill_smoothly(garbage, unknown)
  np.testing.assert_allclose(filled, field, atol=0.1)
  np.testing.assert_array_equal(filled[~unknown], field[~unknown])


def test_what_the_hole_holds_does_not_matter():
  generator = np.random.default_rng(0)
  field = generator.standard_normal((_H, _W, 2)).astype(np.float32)
  unknown = _disc(5, 50, 12)  # reaches over the border
  other = np.where(unknown[..., None], np.float32(np.nan), field)
  np.testing.assert_array_equal(
    fill_smoothly(field, unknown), fill_smoothly(other, unknown)
  )


def test_the_filling_stays_within_what_is_around():
  field = np.random.default_rng(1).uniform(-3, 3, (_H, _W, 2)).astype(np.float32)
  unknown = _disc(20, 30, 15)
  filled = fill_smoothly(field, unknown)[unknown]
  assert np.isfinite(filled).all()
  assert np.abs(filled).max() <= 3


def test_nothing_known_is_zero_and_nothing_unknown_is_kept():
  field = np.ones((_H, _W, 2), np.float32)
  everything = np.ones((_H, _W), bool)
  np.testing.assert_array_equal(fill_smoothly(field, everything), 0 * field)
  np.testing.assert_array_equal(fill_smoothly(field, ~everything), field)


def test_both_directions_take_the_hole_of_their_own_source_frame():
  """The hole moves, so a pair's two flows are unknown in different places."""
  holes = np.stack([_disc(20, x, 4) for x in (12, 28, 44)])[..., None].astype(
    np.float32
  )
  flow = np.full((2, _H, _W, 2), 2, np.float32)
  visible = np.ones((2, _H, _W, 1), bool)
  pairs = PairFlow(1, flow.copy(), flow.copy(), visible, visible)
  for i in range(2):
    pairs.forward[i][holes[i, ..., 0] > 0] = 50
    pairs.backward[i][holes[i + 1, ..., 0] > 0] = 50
  (completed,) = complete_video_flow((pairs,), holes, margin=0)
  np.testing.assert_allclose(completed.forward, flow, atol=1e-4)
  np.testing.assert_allclose(completed.backward, flow, atol=1e-4)
  swapped = dataclasses.replace(pairs, forward=pairs.backward, backward=pairs.forward)
  (wrong,) = complete_video_flow((swapped,), holes, margin=0)
  assert np.abs(wrong.forward - flow).max() > 10
