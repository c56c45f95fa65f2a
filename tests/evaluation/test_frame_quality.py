"""PSNR and SSIM of frames, and SSIM of holes, against scikit-image and loops."""

import sys

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import hole_ssim, paper_quality, sttn_quality
from tests.support.oracles import gaussian_ssim_map
from tests.support.synthetic import translating_clip


def noisy(truth, scale=0.05, seed=0):
  noise = np.random.default_rng(seed).normal(scale=scale, size=truth.shape)
  return np.clip(truth + noise, 0, 1)


def test_paper_averages_psnr_and_wangs_ssim_over_frames():
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


def test_levels_score_as_their_floats():
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


def test_hole_ssim_averages_the_map_over_hole_pixels_of_all_frames():
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
    (paper_quality, (10, 20), r"paper needs.*11 px.*10x20"),
    (sttn_quality, (70, 64), r"sttn needs.*65 px.*70x64"),
  ],
)
def test_frames_smaller_than_a_window_are_refused(measure, size, said):
  with pytest.raises(InputError, match=said):
    measure(*np.zeros((2, 1, *size, 3)))


def test_without_scikit_image_the_message_names_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, "skimage.metrics", None)
  with pytest.raises(InputError, match=r"pip install 'dipvid_jax\[eval\]'"):
    paper_quality(*np.zeros((2, 1, 16, 16, 3)))
