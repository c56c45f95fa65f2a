"""All measures of one clip: columns, their order, missing frames, refused input."""

import math

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import DEFAULT_MEASURES, MEASURES, PatchSearch, evaluate_clip
from dipvid_jax.evaluation.complexity import video_complexity
from dipvid_jax.evaluation.frame_quality import paper_quality, sttn_quality
from dipvid_jax.evaluation.lpips import NETWORKS, load_lpips, lpips_distance
from dipvid_jax.evaluation.temporal_consistency import temporal_consistency
from dipvid_jax.evaluation.warping_error import warping_error
from dipvid_jax.metrics import hole_psnr
from flow import estimate_video_flow
from tests.support.synthetic import moving_hole, translating_clip

COUNT, SIZE = 3, (66, 72)
TRUTH = translating_clip(COUNT, SIZE)
HOLES = moving_hole(COUNT, SIZE)
FULL = np.clip(TRUTH + 0.05 * np.sin(40 * TRUTH), 0, 1)
STITCHED = np.where(HOLES > 0, FULL, TRUTH)
SEARCH = PatchSearch(patch=20, radius=3, patches_per_pair=1)


@pytest.fixture(scope="module")
def values():
  return evaluate_clip(FULL, STITCHED, TRUTH, HOLES, search=SEARCH)


def test_each_column_holds_its_measure(values):
  flow = estimate_video_flow(TRUTH, strides=(1,))[0]
  complexity = video_complexity(TRUTH, flow)
  expected = {
    "frames": COUNT,
    "paper_psnr": paper_quality(FULL, TRUTH).psnr,
    "sttn_ssim": sttn_quality(STITCHED, TRUTH).ssim,
    "hole_psnr": hole_psnr(STITCHED, TRUTH, HOLES),
    "temporal_psnr": temporal_consistency(STITCHED, HOLES, search=SEARCH).psnr,
    "hole_warping_error": warping_error(STITCHED, HOLES, flow).hole,
    "complexity": complexity.appearance + complexity.motion,
    "motion_complexity": complexity.motion,
  }
  assert expected == {name: pytest.approx(values[name], rel=1e-6) for name in expected}


def test_columns_are_finite_floats_in_the_order_of_the_measures(values):
  columns = [c for name in DEFAULT_MEASURES for c in MEASURES[name].columns]
  assert [*values] == ["frames", *columns]
  assert all(type(value) is float for value in values.values())
  assert all(math.isfinite(value) for value in values.values())


def test_measures_of_missing_frames_are_nan():
  wanted = ["hole", "paper", "complexity"]
  values = evaluate_clip(None, STITCHED, TRUTH, HOLES, measures=wanted)
  assert math.isnan(values["paper_psnr"]) and math.isnan(values["paper_ssim"])
  assert math.isfinite(values["hole_psnr"]) and math.isfinite(values["complexity"])
  values = evaluate_clip(FULL, None, TRUTH, HOLES, measures=["hole", "paper"])
  assert math.isnan(values["hole_psnr"]) and math.isfinite(values["paper_psnr"])


def test_levels_score_as_their_floats():
  levels = [np.rint(clip * 255).astype(np.uint8) for clip in (FULL, STITCHED, TRUTH)]
  wanted = ["paper", "sttn", "hole"]
  values = evaluate_clip(*levels, HOLES, measures=wanted)
  floats = evaluate_clip(*(clip / 255 for clip in levels), HOLES, measures=wanted)
  assert values == pytest.approx(floats, rel=1e-5)


@pytest.mark.parametrize(
  ("changed", "error", "said"),
  [
    (
      {"measures": ["hole", "psnr"]},
      InputError,
      "'psnr' is unknown; choose from paper",
    ),
    ({"stitched": STITCHED[:2]}, ValueError, "one shape"),
    ({"full": FULL[:, :60]}, ValueError, "one shape"),
    ({"hole_masks": HOLES[..., 0]}, ValueError, "masks"),
    ({"hole_masks": HOLES * 0, "measures": ["hole"]}, ValueError, "no pixel"),
  ],
)
def test_arrays_that_do_not_match_are_refused(changed, error, said):
  arrays = {"full": FULL, "stitched": STITCHED, "truth": TRUTH, "hole_masks": HOLES}
  with pytest.raises(error, match=said):
    evaluate_clip(**(arrays | changed))


def test_flow_needs_two_frames():
  one = (clip[:1] for clip in (FULL, STITCHED, TRUTH, HOLES))
  with pytest.raises(InputError, match="at least 2 frames"):
    evaluate_clip(*one, measures=["warping"])


def test_lpips_scores_the_stitched_frames_with_both_networks():
  values = evaluate_clip(FULL, STITCHED, TRUTH, HOLES, measures=["lpips"])
  for network in NETWORKS:
    params = load_lpips(network)
    expected = lpips_distance(params, STITCHED, TRUTH, network=network)
    assert values[f"lpips_{network}"] == pytest.approx(expected, rel=1e-5)


def test_fid_without_weights_names_the_file_to_give():
  with pytest.raises(InputError, match=r"--inception FILE.*\.pth"):
    evaluate_clip(FULL, STITCHED, TRUTH, HOLES, measures=["fid"])
