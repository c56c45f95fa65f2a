"""PSNR and SSIM of single frames, by the field's protocols.

Clips are `[T, H, W, 3]` RGB, float in [0, 1] or uint8 levels. PSNR is in decibels.
SSIM is computed by scikit-image, from the extra `eval`.
"""

import importlib
from types import ModuleType
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.metrics import psnr

# The window of Wang et al., 2004: Gaussian of 1.5 px, cut off at 11 px.
WINDOW = 11
GAUSSIAN = {
  "gaussian_weights": True,
  "sigma": 1.5,
  "use_sample_covariance": False,
}
STTN_WINDOW = 65
STTN_SIZE = (240, 432)


class Quality(NamedTuple):
  """PSNR in decibels and SSIM of a clip."""

  psnr: float
  ssim: float


def paper_quality(full: np.ndarray, truth: np.ndarray) -> Quality:
  """PSNR and SSIM of whole frames, each averaged over the frames of the video.

  The paper names no window; this is the SSIM of Wang et al.: Gaussian windows of
  11 x 11 and 1.5 px, averaged over pixels and channels.

  Args:
    full: `[T, H, W, 3]`, the network's own frames, hole and surroundings.
    truth: `[T, H, W, 3]`, the true frames.

  Returns:
    The means; PSNR is infinite where a frame is exact.

  Raises:
    InputError: the frames are smaller than a window, or scikit-image is missing.

  Reference: Zhang et al., ICCV 2019, section 4.1; Wang et al., 2004.
  """
  structural_similarity = load_skimage().structural_similarity
  check_sides("paper", truth.shape, WINDOW)
  qualities = []
  for a, b in zip(full, truth, strict=True):
    a, b = as_float(a), as_float(b)
    ssim = structural_similarity(a, b, data_range=1.0, channel_axis=-1, **GAUSSIAN)
    qualities.append((psnr(a, b), ssim))
  return Quality(*np.mean(qualities, axis=0).tolist())


def sttn_quality(stitched: np.ndarray, truth: np.ndarray) -> Quality:
  """PSNR and SSIM of stitched frames as STTN and its successors report them.

  On 8-bit levels: PSNR with peak 255; scikit-image's SSIM with flat windows of
  65 x 65 over all channels. The field scores at 240 x 432 (height x width) and averages
  over all frames of all videos at once: weight a video by its number of frames.

  Args:
    stitched: `[T, H, W, 3]`, the result in the hole and the input around it.
    truth: `[T, H, W, 3]`, the true frames.

  Returns:
    The means over the frames; PSNR is infinite where a frame is exact.

  Raises:
    InputError: the frames are smaller than a window, or scikit-image is missing.

  Reference: Zeng et al., STTN, ECCV 2020, and its published evaluation.
  """
  structural_similarity = load_skimage().structural_similarity
  check_sides("sttn", truth.shape, STTN_WINDOW)
  qualities = []
  for a, b in zip(stitched, truth, strict=True):
    a, b = as_levels(a), as_levels(b)
    ssim = structural_similarity(
      a, b, data_range=255, channel_axis=-1, win_size=STTN_WINDOW
    )
    qualities.append((psnr(a, b, peak=255), ssim))
  return Quality(*np.mean(qualities, axis=0).tolist())


def hole_ssim(result: np.ndarray, truth: np.ndarray, hole_masks: np.ndarray) -> float:
  """SSIM as in `paper_quality`, averaged over hole pixels, channels and frames.

  Args:
    result: `[T, H, W, 3]`, the stitched frames.
    truth: `[T, H, W, 3]`, the true content.
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.

  Returns:
    SSIM, at most 1.

  Raises:
    InputError: the frames are smaller than a window, or scikit-image is missing.
    ValueError: no pixel is in the hole.
  """
  structural_similarity = load_skimage().structural_similarity
  check_sides("hole", truth.shape, WINDOW)
  hole = np.asarray(hole_masks)[..., 0] > 0
  if not hole.any():
    raise ValueError("hole_ssim: no pixel is in the hole")
  total = 0.0
  for inside, a, b in zip(hole, result, truth, strict=True):
    if inside.any():
      _, ssim_map = structural_similarity(
        as_float(a), as_float(b), data_range=1.0, channel_axis=-1, full=True, **GAUSSIAN
      )
      total += ssim_map[inside].sum()
  return float(total / (3 * hole.sum()))


def region_quality(result: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> Quality:
  """PSNR and SSIM of a part of each frame, averaged over the frames that have it.

  Args:
    result, truth: `[T, H, W, 3]`.
    masks: `[T, H, W, 1]`, above 0 in the part; everywhere gives `paper_quality`.

  Returns:
    The means; PSNR is infinite where a frame is exact.

  Raises:
    InputError: the frames are smaller than a window, or scikit-image is missing.
    ValueError: no frame has the part.
  """
  structural_similarity = load_skimage().structural_similarity
  check_sides("hole", truth.shape, WINDOW)
  parts = np.asarray(masks)[..., 0] > 0
  qualities = []
  for inside, a, b in zip(
    parts, map(as_float, result), map(as_float, truth), strict=True
  ):
    if inside.any():
      _, ssim_map = structural_similarity(
        a, b, data_range=1.0, channel_axis=-1, full=True, **GAUSSIAN
      )
      qualities.append((psnr(a[inside], b[inside]), ssim_map[inside].mean()))
  if not qualities:
    raise ValueError("region_quality: no pixel is in the region")
  return Quality(*np.mean(qualities, axis=0).tolist())


def load_skimage() -> ModuleType:
  """Imports scikit-image's metrics.

  Raises:
    InputError: the package is missing.
  """
  try:
    return importlib.import_module("skimage.metrics")
  except ImportError as error:
    raise InputError(
      "SSIM needs scikit-image: pip install 'dipvid_jax[eval]'"
    ) from error


def check_sides(measure: str, shape: tuple[int, ...], smallest: int) -> None:
  """Raises an InputError if frames `[T, H, W, 3]` are too small for a measure."""
  if min(shape[1:3]) < smallest:
    raise InputError(
      f"measure {measure} needs sides of at least {smallest} px, the frames are "
      f"{format_size(shape[1:3])} (height x width); use larger frames or leave it out"
    )


def as_float(frames: np.ndarray) -> np.ndarray:
  """Converts levels or floats to float64 in [0, 1]."""
  frames = np.asarray(frames)
  return frames / 255 if frames.dtype == np.uint8 else frames.astype(np.float64)


def as_levels(frames: np.ndarray) -> np.ndarray:
  """Converts levels or floats to uint8 levels."""
  frames = np.asarray(frames)
  return frames if frames.dtype == np.uint8 else to_levels(frames)
