"""Frechet distances against SciPy's matrix root and closed forms."""

import numpy as np
import pytest
from scipy import linalg

from dipvid_jax.evaluation.fid import frechet_distance, paper_fid


def gaussian(count, channels, *, seed, scale=1.0, offset=0.0):
  generator = np.random.default_rng(seed)
  mixing = generator.normal(size=(channels, channels))
  return offset + scale * generator.normal(size=(count, channels)) @ mixing


def slow_frechet(a, b):
  covariances = [np.cov(features, rowvar=False) for features in (a, b)]
  root = linalg.sqrtm(covariances[0] @ covariances[1]).real
  offset = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
  return offset + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.mark.parametrize("counts", [(60, 60), (40, 90), (9, 60)])
def test_agrees_with_scipys_matrix_root(counts):
  a, b = gaussian(counts[0], 8, seed=0), gaussian(counts[1], 8, seed=1, offset=0.5)
  assert frechet_distance(a, b) == pytest.approx(slow_frechet(a, b), rel=1e-6)
  assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_fewer_frames_than_features_are_exact():
  """Standard deviations 1 and 3 along the same axis, then along two axes."""
  samples = np.array([-1.0, 0.0, 1.0])
  a, same, other = np.zeros((3, 3, 200))
  a[:, 5], same[:, 5], other[:, 7] = samples, 3 * samples, 3 * samples
  assert frechet_distance(a, same) == pytest.approx(4)
  assert frechet_distance(a, other) == pytest.approx(1 + 9)


def test_equal_sets_score_0_and_an_offset_its_square():
  a = gaussian(20, 50, seed=0)
  assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)
  assert frechet_distance(a, a + 0.1) == pytest.approx(50 * 0.01)


def test_the_papers_form_treats_each_frame_as_a_point():
  result, truth = gaussian(7, 5, seed=0), gaussian(9, 5, seed=1)
  covariance = np.cov(truth, rowvar=False)
  expected = [
    np.sum((frame - truth.mean(axis=0)) ** 2) + np.trace(covariance) for frame in result
  ]
  assert paper_fid(result, truth) == pytest.approx(np.mean(expected))
  # The truth itself: its scatter about its mean (divisor N) plus its covariance.
  trace = np.trace(covariance)
  assert paper_fid(truth, truth) == pytest.approx(trace * (8 / 9 + 1))


def test_sets_without_a_covariance_are_refused():
  frames = np.zeros((3, 4))
  for call in (
    lambda: frechet_distance(frames[:1], frames),
    lambda: frechet_distance(frames, frames[:1]),
    lambda: paper_fid(frames, frames[:1]),
  ):
    with pytest.raises(ValueError, match="two frames"):
      call()
  with pytest.raises(ValueError, match=r"\[N, C\]"):
    frechet_distance(frames, np.zeros((3, 5)))
  assert paper_fid(frames[:1], frames) == 0
