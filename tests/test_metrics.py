"""PSNR of whole arrays and of holes, against loops and closed forms."""

import numpy as np
import pytest

from dipvid_jax.metrics import hole_psnr, psnr

SHAPE = (3, 4, 5)


def clip(value=0.5):
  return np.full((*SHAPE, 3), value)


def holes(*where):
  masks = np.zeros((*SHAPE, 1))
  for index in where:
    masks[index] = 1
  return masks


def test_psnr_is_relative_to_the_peak():
  """An error of a tenth of the peak is 20 dB, in intensities and in levels alike."""
  assert psnr(clip(0.6), clip(0.5)) == pytest.approx(20)
  levels = np.full(SHAPE, 100, np.uint8)
  assert psnr(levels, levels - 25.5, peak=255) == pytest.approx(20)


def test_psnr_of_levels_does_not_wrap_around():
  """The difference of uint8 levels is taken in floats: 0 - 255 is not 1."""
  black, white = np.zeros(SHAPE, np.uint8), np.full(SHAPE, 255, np.uint8)
  assert psnr(black, white, peak=255) == pytest.approx(0)


@pytest.mark.parametrize("peak", [1, 255])
def test_psnr_of_equal_arrays_is_infinite(peak):
  assert psnr(clip(), clip(), peak=peak) == np.inf


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_psnr_agrees_with_the_loop(peak):
  result, truth = peak * np.random.default_rng(1).random((2, *SHAPE))
  total = sum((result[i] - truth[i]) ** 2 for i in np.ndindex(result.shape))
  expected = 10 * np.log10(peak**2 * result.size / total)
  assert psnr(result, truth, peak=peak) == pytest.approx(expected, abs=1e-9)


def test_a_hole_error_of_a_tenth_is_20_decibels():
  assert hole_psnr(clip(0.6), clip(0.5), holes((0, 1, 2))) == pytest.approx(20)
  assert hole_psnr(clip(0.51), clip(0.5), holes(0)) == pytest.approx(40)


def test_hole_psnr_pools_squares_over_frames_before_the_logarithm():
  """Errors 0.1 and 0.3 on one pixel each: a mean square of 0.05, 13.01 dB."""
  result = clip()
  result[0, 0, 0] += 0.1
  result[2, 3, 4] -= 0.3
  value = hole_psnr(result, clip(), holes((0, 0, 0), (2, 3, 4)))
  assert value == pytest.approx(13.0103, abs=1e-4)


def test_hole_psnr_weighs_channels_equally():
  result = clip()
  result[0, 0, 0, 2] += 0.3  # a mean square of 0.03
  expected = -10 * np.log10(0.03)
  assert hole_psnr(result, clip(), holes((0, 0, 0))) == pytest.approx(expected)


def test_hole_psnr_ignores_pixels_outside_the_hole():
  result = clip(0.6)
  result[1:] = 1e6
  assert hole_psnr(result, clip(0.5), holes((0, 1, 2))) == pytest.approx(20)


def test_hole_psnr_agrees_with_the_loop():
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
def test_hole_psnr_refuses_arrays_that_do_not_match(result, masks, said):
  with pytest.raises(ValueError, match=said):
    hole_psnr(result, clip(), masks)
