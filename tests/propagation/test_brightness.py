"""The gain between two frames."""

import numpy as np
import pytest

from dipvid_jax.propagation.brightness import estimate_gain


def _pixels(count=500):
  return np.random.default_rng(0).uniform(0.1, 0.6, (count, 3)).astype(np.float32)


@pytest.mark.parametrize("gain", [0.5, 1.3, (0.9, 1.0, 1.2)])
def test_a_gain_is_found_though_a_third_of_the_pixels_mislead(gain):
  there = _pixels()
  here = there * np.float32(gain)
  here[::3] = 0.9 - here[::3] / 2
  np.testing.assert_allclose(
    estimate_gain(here, there), np.broadcast_to(gain, 3), rtol=0.08
  )


def test_small_changes_and_few_or_clipped_pixels_leave_colours_alone():
  there = _pixels()
  noise = np.random.default_rng(1).normal(scale=0.02, size=there.shape)
  for here, other in (
    (there + noise, there),
    (2 * there[:50], there[:50]),
    (np.ones_like(there), there),
    (there, np.zeros_like(there)),
  ):
    np.testing.assert_array_equal(estimate_gain(here, other), np.ones(3))


def test_a_fade_from_black_is_undone():
  """Its first frames are a tenth as bright, in whole levels."""
  here = _pixels()
  there = np.rint(here * 0.1 * 255).astype(np.float32) / 255
  np.testing.assert_allclose(estimate_gain(here, there), 10, rtol=0.08)
