"""PSNR and SSIM of frames and of holes, against scikit-image and loops."""

import sys

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import hole_ssim, paper_quality, sttn_quality
from dipvid_jax.metrics import hole_psnr
from tests.support.oracles import gaussian_ssim_map
from tests.support.synthetic import translating_clip

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


def noisy(truth, scale=0.05, seed=0):
  noise = np.random.default_rng(seed).normal(scale=scale, size=truth.shape)
  return np.clip(truth + noise, 0, 1)


def test_paper_is_the_mean_over_frames_of_psnr_and_of_wangs_ssim():
  truth = np.float64(translating_clip(2, (16, 18)))
  full = noisy(truth)
  full[1] = noisy(truth[1], scale=0.2)
  pairs = [*zip(full, truth, strict=True)]
  psnrs = [-10 * np.log10(np.mean((a - b) ** 2)) for a, b in pairs]
  # The windows that lie inside the frame: 5 px off its edges.
  ssims = [gaussian_ssim_map(a, b).mean() for a, b in pairs]
  quality = paper_quality(full, truth)
  assert quality.psnr == pytest.approx(np.mean(psnrs), abs=1e-9)
  assert quality.ssim == pytest.approx(np.mean(ssims), abs=1e-9)


def test_levels_are_scored_as_their_floats():
  truth = np.rint(translating_clip(2, (16, 18)) * 255).astype(np.uint8)
  full = np.rint(noisy(truth / 255) * 255).astype(np.uint8)
  assert paper_quality(full, truth) == paper_quality(full / 255, truth / 255)


def test_sttn_is_scikit_image_on_levels_with_flat_windows_of_65():
  metrics = pytest.importorskip("skimage.metrics")
  truth = translating_clip(2, (66, 70))
  stitched = noisy(truth)
  expected = []
  for frame, true_frame in zip(stitched, truth, strict=True):
    a, b = (np.rint(x * 255).astype(np.uint8) for x in (frame, true_frame))
    expected.append(
      (
        metrics.peak_signal_noise_ratio(b, a, data_range=255),
        metrics.structural_similarity(
          a, b, data_range=255, channel_axis=-1, win_size=65
        ),
      )
    )
  np.testing.assert_allclose(
    sttn_quality(stitched, truth), np.mean(expected, axis=0), atol=1e-9
  )


def test_an_exact_result_is_infinite_and_1():
  truth = translating_clip(2, (66, 70))
  assert paper_quality(truth, truth) == (np.inf, pytest.approx(1))
  assert sttn_quality(truth, truth) == (np.inf, pytest.approx(1))
  assert hole_ssim(truth, truth, np.ones((2, 66, 70, 1))) == pytest.approx(1)


def test_hole_ssim_is_the_maps_mean_over_hole_pixels_of_all_frames():
  truth = np.float64(translating_clip(3, (20, 24)))
  result = noisy(truth)
  masks = np.zeros((3, 20, 24, 1))
  masks[0, 8:12, 6:10] = masks[1, 9, 9:18] = 1  # 16 pixels, 9, none
  maps = [gaussian_ssim_map(a, b) for a, b in zip(result, truth, strict=True)]
  inside = [*maps[0][3:7, 1:5].reshape(-1, 3), *maps[1][4, 4:13]]
  expected = np.mean(inside)
  assert len(inside) == 25
  assert hole_ssim(result, truth, masks) == pytest.approx(expected, abs=1e-9)


def test_a_hole_ssim_without_a_hole_is_refused():
  with pytest.raises(ValueError, match="no pixel is in the hole"):
    hole_ssim(*np.zeros((2, 1, 16, 16, 3)), np.zeros((1, 16, 16, 1)))


@pytest.mark.parametrize(
  ("measure", "size", "said"),
  [
    (paper_quality, (10, 20), r"paper needs.*11 px.*20x10"),
    (sttn_quality, (70, 64), r"sttn needs.*65 px.*64x70"),
  ],
)
def test_frames_below_a_window_are_refused(measure, size, said):
  with pytest.raises(InputError, match=said):
    measure(*np.zeros((2, 1, *size, 3)))


def test_without_scikit_image_the_line_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, "skimage.metrics", None)
  with pytest.raises(InputError, match=r"pip install 'dipvid_jax\[eval\]'"):
    paper_quality(clip(), clip())
