"""The time slice: which row it cuts, and how frames are stacked."""

import numpy as np

from dipvid_jax.report.time_slice import enlarge, fullest_row, time_slice

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)


def test_the_fullest_row_is_counted_over_all_frames():
  holes = np.zeros((5, 6, 8, 1), bool)
  holes[0, 2] = True  # 8 pixels in one frame
  holes[:, 4, 3:5] = True  # 10 in all
  assert fullest_row(holes) == 4
  assert fullest_row(np.zeros_like(holes)) == 0


def test_row_t_of_the_slice_is_from_frame_t():
  cut = time_slice(FRAMES, row=3)
  for t in range(5):
    np.testing.assert_array_equal(cut[t], FRAMES[t, 3])


def test_only_the_hole_is_red():
  holes = np.zeros((5, 6, 8, 1), np.uint8)
  holes[2, 3, 4:6] = 255
  cut = time_slice(FRAMES, row=3, holes=holes)
  np.testing.assert_array_equal(cut[2, 4:6], [[255, 0, 0]] * 2)
  rest = np.ones((5, 8), bool)
  rest[2, 4:6] = False
  np.testing.assert_array_equal(cut[rest], time_slice(FRAMES, row=3)[rest])


def test_enlarging_repeats_pixels():
  large = enlarge(FRAMES[0], rows=2, columns=3)
  assert large.shape == (12, 24, 3)
  np.testing.assert_array_equal(large[::2, ::3], FRAMES[0])
  np.testing.assert_array_equal(large[1::2, 2::3], FRAMES[0])
