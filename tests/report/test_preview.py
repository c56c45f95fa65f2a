"""The picture of a run: flow colours, the marked hole, rows and columns."""

import numpy as np
import pytest

from dipvid_jax.media.pixels import to_levels
from dipvid_jax.report.preview import flow_colours, mark_hole, preview_image
from tests.support.synthetic import moving_hole

HEIGHT, WIDTH, LABEL = 16, 20, 22


def colour_of(dx, dy, *, largest=2.0):
  return flow_colours(np.float32([[[dx, dy]]]), largest=largest)[0, 0]


@pytest.mark.parametrize(
  ("direction", "expected"),
  [
    ((2, 0), (255, 0, 0)),  # right: red
    ((0, 2), (128, 255, 0)),  # down
    ((-2, 0), (0, 255, 255)),  # left: opposite of right
    ((0, -2), (128, 0, 255)),  # up
  ],
)
def test_hue_is_the_direction(direction, expected):
  difference = np.abs(colour_of(*direction).astype(int) - expected)
  assert difference.max() <= 3


def test_value_is_the_magnitude():
  assert (colour_of(0, 0) == 0).all()
  assert tuple(colour_of(1, 0)) == (128, 0, 0)
  assert tuple(colour_of(9, 0)) == (255, 0, 0)  # beyond the largest
  assert (colour_of(0, 0, largest=0.0) == 0).all()


def test_only_the_hole_is_tinted():
  frame = np.full((4, 5, 3), 100, np.uint8)
  hole = np.zeros((4, 5, 1), np.float32)
  hole[1, 2] = 1
  marked = mark_hole(frame, hole)
  assert marked.dtype == np.uint8
  assert tuple(marked[1, 2]) == (193, 40, 40)
  marked[1, 2] = 100
  np.testing.assert_array_equal(marked, frame)


def test_levels_are_rounded_and_clipped():
  values = np.array([-0.1, 0, 0.4 / 255, 0.6 / 255, 0.5, 1, 1.1])
  np.testing.assert_array_equal(to_levels(values), [0, 0, 0, 1, 128, 255, 255])
  assert to_levels(values).dtype == np.uint8


def numbered(count, offset):
  """Frame i is flat at level 10 i + offset."""
  levels = (10.0 * np.arange(count) + offset).reshape(-1, 1, 1, 1) / 255
  return np.broadcast_to(levels, (count, HEIGHT, WIDTH, 3))


def rows_of(picture):
  """The strips below their labels."""
  step = HEIGHT + LABEL
  assert len(picture) % step == 0
  return [picture[top + LABEL : top + step] for top in range(0, len(picture), step)]


def columns_of(row):
  return np.split(row, row.shape[1] // WIDTH, axis=1)


def draw(count, **flows):
  holes = moving_hole(count, (HEIGHT, WIDTH))
  return preview_image(
    numbered(count, 0), holes, numbered(count, 3), numbered(count, 6), **flows
  )


@pytest.mark.parametrize(
  ("count", "picked"),
  [(9, [0, 2, 4, 6, 8]), (10, [0, 2, 4, 7, 9]), (3, [0, 1, 2]), (1, [0])],
)
def test_shows_five_frames_from_the_first_to_the_last(count, picked):
  picture = draw(count)
  assert picture.dtype == np.uint8
  assert picture.shape == (3 * (HEIGHT + LABEL), len(picked) * WIDTH, 3)
  marked, full, stitched = map(columns_of, rows_of(picture))
  for column, i in enumerate(picked):
    assert (full[column] == 10 * i + 3).all()
    assert (stitched[column] == 10 * i + 6).all()
    expected = mark_hole(
      np.full((HEIGHT, WIDTH, 3), 10 * i, np.uint8),
      moving_hole(count, (HEIGHT, WIDTH))[i],
    )
    np.testing.assert_array_equal(marked[column], expected)


def test_shows_both_flows_at_one_scale_and_the_nearest_pair_at_the_end():
  """Frame i moves i + 1 px to the right; the generated flow is half as large."""
  motion = np.arange(1.0, 10).reshape(-1, 1, 1, 1) * [1.0, 0.0]
  motion = np.broadcast_to(motion, (9, HEIGHT, WIDTH, 2)).astype(np.float32)
  rows = rows_of(draw(9, known_flow=motion[:8], generated_flow=motion / 2))
  assert len(rows) == 5
  known, generated = (
    [int(column[0, 0, 0]) for column in columns_of(row)] for row in rows[1:3]
  )
  expected = 255 * np.array([1, 3, 5, 7, 8]) / 8
  np.testing.assert_allclose(known, expected, atol=2)
  np.testing.assert_allclose(generated, expected / 2, atol=2)
