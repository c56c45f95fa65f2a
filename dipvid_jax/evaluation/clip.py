"""All measures of one clip in one call, for programs that hold the arrays."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.complexity import video_complexity
from dipvid_jax.evaluation.fid import frechet_distance, paper_fid
from dipvid_jax.evaluation.frame_quality import (
  Quality,
  hole_ssim,
  load_skimage,
  paper_quality,
  sttn_quality,
)
from dipvid_jax.evaluation.inception import Inception, frame_features
from dipvid_jax.evaluation.lpips import NETWORKS, load_lpips, lpips_distance
from dipvid_jax.evaluation.temporal_consistency import PatchSearch, temporal_consistency
from dipvid_jax.evaluation.warping_error import WarpingError, warping_error
from dipvid_jax.metrics import hole_psnr
from flow import Estimator, PairFlow, estimate_video_flow


@dataclasses.dataclass(frozen=True)
class _Clip:
  """What a measure reads; `result` holds the frames that it scores."""

  result: np.ndarray
  truth: np.ndarray
  hole_masks: np.ndarray
  flow: PairFlow | None
  search: PatchSearch | None
  inception: Inception | None
  on_features: Callable[[np.ndarray, np.ndarray], None] | None


class Measure(NamedTuple):
  """A protocol: its columns, the frames it scores, how, and what it needs."""

  columns: tuple[str, ...]
  frames: Literal["full", "stitched", "truth"]
  apply: Callable[[_Clip], Sequence[float]]
  needs: Literal["", "skimage", "flow", "inception"] = ""


def _paper(clip: _Clip) -> Quality:
  return paper_quality(clip.result, clip.truth)


def _sttn(clip: _Clip) -> Quality:
  return sttn_quality(clip.result, clip.truth)


def _hole(clip: _Clip) -> tuple[float, float]:
  arrays = clip.result, clip.truth, clip.hole_masks
  return hole_psnr(*arrays), hole_ssim(*arrays)


def _temporal(clip: _Clip) -> Quality:
  return temporal_consistency(clip.result, clip.hole_masks, search=clip.search)


def _warping(clip: _Clip) -> WarpingError:
  assert clip.flow is not None
  return warping_error(clip.result, clip.hole_masks, clip.flow)


def _lpips(clip: _Clip) -> list[float]:
  return [
    lpips_distance(_lpips_params(network), clip.result, clip.truth, network=network)
    for network in NETWORKS
  ]


_lpips_params = functools.cache(load_lpips)


def _fid(clip: _Clip) -> tuple[float, float]:
  assert clip.inception is not None
  result = frame_features(clip.inception, clip.result)
  truth = frame_features(clip.inception, clip.truth)
  if clip.on_features:
    clip.on_features(result, truth)
  return paper_fid(result, truth), frechet_distance(result, truth)


def _complexity(clip: _Clip) -> tuple[float, float, float]:
  assert clip.flow is not None
  complexity = video_complexity(clip.truth, clip.flow)
  return complexity.total, *complexity


MEASURES = {
  "paper": Measure(("paper_psnr", "paper_ssim"), "full", _paper, "skimage"),
  "sttn": Measure(("sttn_psnr", "sttn_ssim"), "stitched", _sttn, "skimage"),
  "hole": Measure(("hole_psnr", "hole_ssim"), "stitched", _hole, "skimage"),
  "temporal": Measure(("temporal_psnr", "temporal_ssim"), "stitched", _temporal),
  "warping": Measure(
    ("warping_error", "hole_warping_error"), "stitched", _warping, "flow"
  ),
  "lpips": Measure(tuple(f"lpips_{name}" for name in NETWORKS), "stitched", _lpips),
  "fid": Measure(("fid_paper", "fid_pooled"), "stitched", _fid, "inception"),
  "complexity": Measure(
    ("complexity", "appearance_change", "motion_complexity"),
    "truth",
    _complexity,
    "flow",
  ),
}
# These need neither weights from the user nor minutes of time.
DEFAULT_MEASURES = ("paper", "sttn", "hole", "temporal", "warping", "complexity")


def evaluate_clip(
  full: np.ndarray | None,
  stitched: np.ndarray | None,
  truth: np.ndarray,
  hole_masks: np.ndarray,
  *,
  measures: Collection[str] = DEFAULT_MEASURES,
  search: PatchSearch | None = None,
  estimator: Estimator | None = None,
  inception: Inception | None = None,
  on_features: Callable[[np.ndarray, np.ndarray], None] | None = None,
) -> dict[str, float]:
  """Measures a result against the truth.

  `paper` scores the full frames, `complexity` the truth, all others the stitched
  frames. A measure whose frames are not given is NaN: not measured.

  Args:
    full: `[T, H, W, 3]` RGB, float in [0, 1] or uint8: the network's own frames.
    stitched: the same form: the result in the hole, the input around it.
    truth: the same form.
    hole_masks: `[T, H, W, 1]`, above 0 in the hole.
    measures: names from `MEASURES`.
    search: patches of `temporal_consistency`.
    estimator: of the true flow; None takes DIS.
    inception: from `load_inception`; `fid` needs it.
    on_features: called with the features of the result and of the truth, from which
      a caller can compute the pooled FID of several videos.

  Returns:
    `{column: value}` in the order of `MEASURES`, after `frames`, their number.

  Raises:
    InputError: an unknown measure, a missing package, frames too small or too few.
    ValueError: the shapes disagree, or no pixel is in the hole.
  """
  wanted = check_measures(measures)
  _check_shapes(full, stitched, truth, hole_masks)
  needs = {MEASURES[name].needs for name in wanted}
  _check_needs(needs, len(truth), inception)
  known = _unit(truth)
  flow = None
  if "flow" in needs:
    flow = estimate_video_flow(known, strides=(1,), estimator=estimator)[0]
  of_truth = _Clip(
    *(known, known, np.asarray(hole_masks)),
    flow=flow,
    search=search,
    inception=inception,
    on_features=on_features,
  )
  clips = {"truth": of_truth}
  for name, frames in (("full", full), ("stitched", stitched)):
    if frames is not None:
      clips[name] = dataclasses.replace(of_truth, result=_unit(frames))
  values = {"frames": float(len(known))}
  for measure in map(MEASURES.__getitem__, wanted):
    measured: Sequence[float] = [float("nan")] * len(measure.columns)
    if measure.frames in clips:
      measured = measure.apply(clips[measure.frames])
    values |= zip(measure.columns, map(float, measured), strict=True)
  return values


def check_measures(names: Collection[str]) -> list[str]:
  """Sorts names of measures into the order of `MEASURES`.

  Raises:
    InputError: a name is unknown.
  """
  for name in names:
    if name not in MEASURES:
      raise InputError(
        f"measure {name!r} is unknown; choose from {', '.join(MEASURES)}"
      )
  return [name for name in MEASURES if name in names]


def _check_needs(
  needs: Collection[str], frame_count: int, inception: Inception | None
) -> None:
  """Checks, before the work, that everything the measures need is there."""
  if "skimage" in needs:
    load_skimage()
  if "inception" in needs and inception is None:
    raise InputError(
      "measure fid needs InceptionV3's weights: give --inception FILE, such as"
      " pytorch-fid's pt_inception-2015-12-05-6726825d.pth, or leave fid out"
    )
  if frame_count < 2 and ("flow" in needs or "inception" in needs):
    raise InputError("measures warping, fid and complexity need at least 2 frames")


def _check_shapes(
  full: np.ndarray | None,
  stitched: np.ndarray | None,
  truth: np.ndarray,
  hole_masks: np.ndarray,
) -> None:
  shape = np.shape(truth)
  shapes = [np.shape(clip) for clip in (full, stitched) if clip is not None]
  if (
    len(shape) != 4
    or any(other != shape for other in shapes)
    or np.shape(hole_masks) != (*shape[:3], 1)
  ):
    raise ValueError(
      f"evaluate_clip needs clips of one shape [T, H, W, 3] and masks [T, H, W, 1], "
      f"got {[*shapes, shape]} and {np.shape(hole_masks)}"
    )


def _unit(frames: np.ndarray) -> np.ndarray:
  """Floats in [0, 1]; uint8 levels become float32, which is precise enough."""
  frames = np.asarray(frames)
  return frames / np.float32(255) if frames.dtype == np.uint8 else frames
