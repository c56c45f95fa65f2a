"""PSNR in the hole: pooled before the logarithm, nothing outside counts."""

import numpy as np
import pytest

from dipvid_jax.metrics import hole_psnr

SHAPE = (3, 4, 5)


def clip(value=0.5):
  return np.full((*SHAPE, 3), value)


def holes(*where):
  masks = np.zeros((*SHAPE, 1))
  for index in where:
    masks[index] = 1
  return masks


def test_an_error_of_a_tenth_is_20_decibels():
  assert hole_psnr(clip(0.6), clip(0.5), holes((0, 1, 2))) == pytest.approx(20)
  assert hole_psnr(clip(0.51), clip(0.5), holes(0)) == pytest.approx(40)


def test_squares_are_pooled_over_frames_before_the_logarithm():
  """Errors 0.1 and 0.3 on one pixel each: a mean square of 0.05, 13.01 dB."""
  result = clip()
  result[0, 0, 0] += 0.1
  result[2, 3, 4] -= 0.3
  value = hole_psnr(result, clip(), holes((0, 0, 0), (2, 3, 4)))
  assert value == pytest.approx(13.0103, abs=1e-4)


def test_channels_count_equally():
  result = clip()
  result[0, 0, 0, 2] += 0.3  # a mean square of 0.03
  expected = -10 * np.log10(0.03)
  assert hole_psnr(result, clip(), holes((0, 0, 0))) == pytest.approx(expected)


def test_pixels_outside_the_hole_do_not_count():
  result = clip(0.6)
  result[1:] = 1e6
  assert hole_psnr(result, clip(0.5), holes((0, 1, 2))) == pytest.approx(20)


def test_agrees_with_the_loop():
  generator = np.random.default_rng(0)
  result, truth = generator.random((2, *SHAPE, 3)).astype(np.float32)
  masks = (generator.random((*SHAPE, 1)) < 0.4) * 1.0
  errors = [
    (float(result[index]) - float(truth[index])) ** 2
    for index in np.ndindex(result.shape)
    if masks[(*index[:3], 0)]
  ]
  expected = -10 * np.log10(sum(errors) / len(errors))
  assert hole_psnr(result, truth, masks) == pytest.approx(expected, abs=1e-6)


def test_an_exact_hole_is_infinite():
  assert hole_psnr(clip(), clip(), holes(0)) == np.inf


@pytest.mark.parametrize(
  ("result", "masks", "said"),
  [
    (clip(), np.zeros((*SHAPE, 1)), "no pixel is in the hole"),
    (clip()[:2], holes(0), "one shape"),
    (clip(), holes(0)[..., 0], r"masks \[\.\., 1\]"),
    (clip(), np.ones((*SHAPE, 3)), r"masks \[\.\., 1\]"),
  ],
)
def test_arrays_that_do_not_fit_are_refused(result, masks, said):
  with pytest.raises(ValueError, match=said):
    hole_psnr(result, clip(), masks)
