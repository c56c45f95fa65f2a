"""Patches and their best match in the next frame, against an exhaustive loop."""

import importlib

import jax
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import patch_search, ssim_search
from dipvid_jax.evaluation.exhaustive_search import match_everywhere
from dipvid_jax.evaluation.patch_search import match_by_search, search_patch
from dipvid_jax.evaluation.temporal_consistency import (
  PatchSearch,
  cut_patch,
  draw_corners,
  temporal_consistency,
)
from tests.support.frame_pairs import KINDS, pair_of_frames, slow_best
from tests.support.oracles import gaussian_ssim, gaussian_ssim_map
from tests.support.synthetic import moving_hole, texture, translating_clip

# The package has a function of that name.
consistency_module = importlib.import_module(
  "dipvid_jax.evaluation.temporal_consistency"
)
SEARCH = PatchSearch(patch=13, radius=2, patches_per_pair=2)
LARGER_SEARCH = PatchSearch(patch=20, radius=6)


def best_match(frame, next_frame, corner, *, search):
  cut = cut_patch(frame, next_frame, corner, search=search)
  return search_patch(*cut, radius=search.radius)


@pytest.mark.parametrize("corner", [(5, 6), (0, 0), (7, 13), (0, 11), (6, 1)])
def test_the_best_of_all_candidates_is_found(corner):
  frame, next_frame = (texture(20, 26, seed=seed) for seed in (0, 1))
  next_frame = 0.4 * next_frame + 0.6 * np.roll(frame, (1, -2), axis=(0, 1))
  match = best_match(frame, next_frame, corner, search=SEARCH)
  expected = slow_best(frame, next_frame, corner, search=SEARCH)
  assert match.mean_square == pytest.approx(expected[0], rel=1e-5)
  assert match.ssim == pytest.approx(expected[1], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_search_equals_an_exhaustive_one(kind):
  """In the middle and at the edges, where there are fewer places."""
  frame, next_frame = pair_of_frames(kind)
  for corner in ((21, 25), (0, 3), (40, 50)):
    match = best_match(frame, next_frame, corner, search=LARGER_SEARCH)
    expected = slow_best(frame, next_frame, corner, search=LARGER_SEARCH)
    assert match.mean_square == pytest.approx(expected[0], rel=1e-9)
    assert match.ssim == pytest.approx(expected[1], abs=1e-5)


@pytest.mark.parametrize(("patch", "radius"), [(20, 2), (11, 4), (15, 0), (50, 1)])
def test_patches_of_other_sizes_equal_an_exhaustive_search(patch, radius):
  frame, next_frame = pair_of_frames("textured")
  search = PatchSearch(patch=patch, radius=radius)
  for corner in ((4, 7), (60 - patch, 0)):
    match = best_match(frame, next_frame, corner, search=search)
    expected = slow_best(frame, next_frame, corner, search=search)
    assert match.mean_square == pytest.approx(expected[0], rel=1e-9)
    assert match.ssim == pytest.approx(expected[1], abs=1e-5)


def test_an_accelerator_compares_all_places_and_a_cpu_searches(monkeypatch):
  clip = np.stack([texture(40, 44, seed=seed) for seed in range(4)])
  holes = np.ones((4, 40, 44, 1))
  search = PatchSearch(patch=12, radius=3, patches_per_pair=7)
  searched = temporal_consistency(clip, holes, search=search)
  asked = []

  def match(cuts, *, radius):
    cuts = [*cuts]
    asked.append((len(cuts), radius))
    return match_everywhere(cuts, radius=radius)

  monkeypatch.setattr(consistency_module, "match_everywhere", match)
  temporal_consistency(clip, holes, search=search)
  assert not asked
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  compared = temporal_consistency(clip, holes, search=search)
  assert asked == [(21, 3)]
  np.testing.assert_allclose(compared, searched, rtol=1e-5)


def test_few_windows_are_evaluated_where_content_is_found_again(monkeypatch):
  """Of 41 columns of places and 120 lines, the search is to do a small part."""
  evaluated = []
  losses = ssim_search._Windows.losses

  def count(self, line, x):
    jax.debug.callback(lambda x: evaluated.append(int(x)), x)
    return losses(self, line, x)

  monkeypatch.setattr(ssim_search._Windows, "losses", count)
  ssim_search._largest_ssim.clear_cache()  # compiled without the counter
  frame, next_frame = pair_of_frames("textured", size=(100, 100))
  best_match(frame, next_frame, (25, 25), search=PatchSearch())
  jax.effects_barrier()
  ssim_search._largest_ssim.clear_cache()
  assert {*evaluated} == {*range(41)} and 120 <= len(evaluated) < 0.25 * 41 * 120


def test_patches_searched_at_once_have_their_own_matches_in_order(monkeypatch):
  """In several batches, of which the last is smaller."""
  monkeypatch.setattr(patch_search, "_BATCH", 3)
  frame, next_frame = pair_of_frames("noise")
  corners = [(row, column) for row in (0, 9, 40) for column in (0, 20, 41, 50)][:11]
  cuts = [cut_patch(frame, next_frame, c, search=LARGER_SEARCH) for c in corners]
  found = [*match_by_search(iter(cuts), radius=6)]
  assert found == [search_patch(*cut, radius=6) for cut in cuts]
  assert len({*found}) == 11
  assert [*match_by_search([], radius=6)] == []


def test_an_exact_match_has_no_error():
  for kind in ("repeated", "black"):
    frame, next_frame = pair_of_frames(kind)
    match = best_match(frame, next_frame, (20, 25), search=LARGER_SEARCH)
    assert match.mean_square == 0 and match.ssim == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("place", [(14, 19), (30, 35), (45, 50)])
@pytest.mark.parametrize("kind", ["textured", "repeated"])
def test_undefined_pixels_give_an_undefined_result(kind, place):
  """Wherever they are in the region, also beside an exact match."""
  frame, next_frame = pair_of_frames(kind)
  next_frame[place] = np.nan
  assert np.isnan(best_match(frame, next_frame, (20, 25), search=LARGER_SEARCH)).all()


def test_the_oracle_with_all_windows_at_once_equals_the_loop():
  a, b = (texture(14, 13, seed=seed) for seed in (0, 1))
  assert gaussian_ssim(a, b) == pytest.approx(gaussian_ssim_map(a, b).mean(), rel=1e-12)


def test_a_small_difference_survives_rounding():
  """Two patches 1e-4 apart: a mean square of 1e-8 beside intensities near 1."""
  frame = 0.9 + 0.05 * texture(20, 26)
  offset = np.float32(1e-4) * (1 - 2 * (np.indices(frame.shape).sum(0) % 2))
  match = best_match(frame, np.float32(frame + offset), (3, 4), search=SEARCH)
  assert match.mean_square == pytest.approx(1e-8, rel=2e-3)


def test_content_that_moves_within_the_radius_is_found_exactly():
  clip = translating_clip(3, (24, 32), step=(2, -1))
  holes = np.zeros((3, 24, 32, 1))
  holes[:, 12, 16] = 1
  found = temporal_consistency(clip, holes, search=SEARCH)
  assert found.psnr == np.inf and found.ssim == pytest.approx(1, abs=1e-5)
  narrow = PatchSearch(patch=13, radius=1, patches_per_pair=2)
  assert temporal_consistency(clip, holes, search=narrow).psnr < 40


def test_the_value_averages_over_patches_and_pairs():
  clip = np.stack([texture(24, 32, seed=seed) for seed in range(3)])
  holes = moving_hole(3, (24, 32))
  matches = [
    slow_best(clip[t], clip[t + 1], corner, search=SEARCH)
    for t in range(2)
    for corner in draw_corners(holes[t, ..., 0] > 0, t, search=SEARCH)
  ]
  assert len(matches) == 4
  expected = np.mean([(-10 * np.log10(m), s) for m, s in matches], axis=0)
  found = temporal_consistency(clip, holes, search=SEARCH)
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_patches_centre_on_hole_pixels_and_move_inwards_at_the_edge():
  search = PatchSearch(patch=12, radius=2, patches_per_pair=50)
  hole = np.zeros((40, 50), bool)
  hole[20:22, 30:33] = True
  corners = {*draw_corners(hole, 0, search=search)}
  assert corners == {(y - 6, x - 6) for y in (20, 21) for x in (30, 31, 32)}
  hole[:] = False
  hole[0, 49] = hole[39, 0] = True
  assert {*draw_corners(hole, 0, search=search)} == {(0, 38), (28, 0)}
  assert draw_corners(np.zeros((40, 50), bool), 0, search=search) == []


def test_the_draw_depends_on_seed_and_pair_alone():
  hole = np.ones((40, 50), bool)
  search = PatchSearch(patch=12, patches_per_pair=5)
  again = PatchSearch(patch=12, patches_per_pair=5)
  other = PatchSearch(patch=12, patches_per_pair=5, seed=1)
  drawn = draw_corners(hole, 3, search=search)
  assert drawn == draw_corners(hole, 3, search=again) and len(drawn) == 5
  assert drawn != draw_corners(hole, 4, search=search)
  assert drawn != draw_corners(hole, 3, search=other)


def test_a_hole_only_in_the_last_frame_is_not_measured():
  holes = np.zeros((3, 24, 32, 1))
  holes[2] = 1
  found = temporal_consistency(translating_clip(3, (24, 32)), holes, search=SEARCH)
  assert np.isnan(found).all()


def test_frames_and_settings_that_cannot_be_measured_are_refused():
  clip, holes = translating_clip(2, (24, 32)), np.ones((2, 24, 32, 1))
  with pytest.raises(InputError, match=r"temporal needs.*50 px.*24x32"):
    temporal_consistency(clip, holes)
  for settings in (
    {"patch": 10},
    {"radius": -1},
    {"patches_per_pair": 0},
    {"seed": -1},
  ):
    with pytest.raises(InputError, match="temporal consistency"):
      PatchSearch(**settings)
