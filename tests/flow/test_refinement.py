"""Flow searched again from a good start."""

import cv2
import numpy as np

from flow.refinement import grey_levels, refine_flow


def _pair(step, size=(80, 120)):
  noise = np.random.default_rng(0).random((size[0], size[1] + 80)).astype(np.float32)
  scene = cv2.GaussianBlur(noise, (0, 0), 2)
  scene = (scene - scene.min()) / np.ptp(scene)
  frames = np.stack([scene[:, 40 + s : 40 + s + size[1]] for s in (0, step)])
  return grey_levels(np.repeat(frames[..., None], 3, axis=-1))


def test_a_start_that_is_a_pixel_off_is_mended_in_a_part_of_the_frame():
  """Motion of 30 pixels, more than a search in 48 pixels would find by itself."""
  first, second = _pair(-30)
  part = slice(16, 64), slice(20, 68)
  initial = np.zeros((48, 48, 2), np.float32)
  initial[..., 0] = 30 + np.random.default_rng(1).normal(size=(48, 48))
  found = refine_flow(first, second, initial, part)
  middle = found[8:-8, 8:-8]
  assert np.abs(middle - (30, 0)).mean() < 0.2 < np.abs(initial - (30, 0)).mean()


def test_the_same_input_gives_the_same_bits():
  first, second = _pair(-3)
  part = slice(0, 80), slice(0, 120)
  initial = np.zeros((80, 120, 2), np.float32)
  once, again = (refine_flow(first, second, initial, part) for _ in range(2))
  np.testing.assert_array_equal(once, again)
