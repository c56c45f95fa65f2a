"""Frechet distances between the features of result frames and of true frames.

Features are `[N, C]` float64, from `inception.frame_features`.
"""

from typing import Any

import numpy as np


def paper_fid(result: np.ndarray, truth: np.ndarray) -> float:
  """FID of each result frame against all true frames of its video, frame mean.

  The paper: "we compute the FID score of each inpainted frame independently against
  the full collection of ground-truth frames and aggregate the value over the whole
  video". It does not say what the covariance of one frame is. Taken literally, the
  Gaussian of a single sample is a point, so its distance is
  |f - mean|^2 + trace(covariance of the truth). The second term depends on the truth
  alone, so even the truth itself does not score 0.

  Args:
    result: `[T, C]`.
    truth: `[T', C]`, at least two frames.

  Returns:
    The mean distance.

  Raises:
    ValueError: the shapes disagree, or the truth has one frame.

  Reference: Zhang et al., ICCV 2019, section 4.1.
  """
  _check(result, truth, fewest=1)
  square = np.sum((result - truth.mean(axis=0)) ** 2, axis=1)
  return float(square.mean() + np.var(truth, axis=0, ddof=1).sum())


def frechet_distance(result: np.ndarray, truth: np.ndarray) -> float:
  """FID as the field computes it: between the Gaussians of two sets of frames.

  |m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2)). With S = R^T R, the trace of the root
  is the sum of the singular values of R1 R2^T, which needs no matrix root and is exact
  also for fewer frames than features. The estimate is biased upwards, the more so the
  fewer frames: compare only sets of equal size.

  Args:
    result: `[N, C]`, at least two frames.
    truth: `[N', C]`, at least two frames.

  Returns:
    The distance, 0 for equal sets.

  Raises:
    ValueError: the shapes disagree, or a set has one frame.

  Reference: Heusel et al., NeurIPS 2017.
  """
  _check(result, truth, fewest=2)
  roots = [_covariance_root(features) for features in (result, truth)]
  traces = sum(np.sum(root**2) for root in roots)
  overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
  offset = np.sum((result.mean(axis=0) - truth.mean(axis=0)) ** 2)
  return max(0.0, float(offset + traces - 2 * overlap))


def _covariance_root(features: np.ndarray) -> np.ndarray:
  """R `[min(N, C), C]` such that R^T R is the covariance (divisor N - 1)."""
  centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
  root: Any = np.linalg.qr(centred, mode="r")  # NumPy's types omit this mode
  return root


def _check(result: np.ndarray, truth: np.ndarray, *, fewest: int) -> None:
  if result.ndim != 2 or truth.ndim != 2 or result.shape[1] != truth.shape[1]:
    raise ValueError(f"features must be [N, C], got {result.shape} and {truth.shape}")
  if len(result) < fewest or len(truth) < 2:
    raise ValueError(
      f"a covariance needs two frames, got {len(result)} and {len(truth)}"
    )
