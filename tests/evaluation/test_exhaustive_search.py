"""All places at once, against a loop over them; on a CPU, whose values are the same."""

import numpy as np
import pytest

from dipvid_jax.evaluation import exhaustive_search
from dipvid_jax.evaluation.exhaustive_search import match_everywhere
from dipvid_jax.evaluation.temporal_consistency import PatchSearch, cut_patch
from tests.support.frame_pairs import KINDS, pair_of_frames, slow_best
from tests.support.synthetic import texture

SEARCH = PatchSearch(patch=20, radius=6)
CORNERS = (21, 25), (0, 3), (40, 50)  # in the middle, at the top, bottom right


def matches(frame, next_frame, corners, *, search=SEARCH):
  cuts = (cut_patch(frame, next_frame, corner, search=search) for corner in corners)
  return [*match_everywhere(cuts, radius=search.radius)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_of_all_places_is_found(kind):
  frame, next_frame = pair_of_frames(kind)
  found = matches(frame, next_frame, CORNERS)
  for match, corner in zip(found, CORNERS, strict=True):
    mean_square, ssim = slow_best(frame, next_frame, corner, search=SEARCH)
    assert match[0] == pytest.approx(mean_square, rel=1e-5)
    assert match[1] == pytest.approx(ssim, abs=1e-5)


def test_what_lies_outside_the_frame_is_no_place():
  """A black patch at the frame's corner, and a white frame after it."""
  frame = np.zeros((60, 70, 3), np.float32)
  next_frame = np.ones_like(frame)
  ((mean_square, ssim),) = matches(frame, next_frame, [(40, 50)])
  assert mean_square == 1 and ssim < 0.01


@pytest.mark.parametrize("entries", [1, 100_000])
def test_places_in_parts_are_the_same(entries, monkeypatch):
  """One row of places after another, and several with a rest."""
  frame, next_frame = pair_of_frames("textured")
  expected = matches(frame, next_frame, CORNERS)
  monkeypatch.setattr(exhaustive_search, "_ENTRIES", entries)
  exhaustive_search._match_batch.clear_cache()  # compiled with another number
  found = matches(frame, next_frame, CORNERS)
  exhaustive_search._match_batch.clear_cache()
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_every_patch_of_several_batches_has_its_own_match():
  frame, next_frame = texture(40, 44, seed=0), texture(40, 44, seed=1)
  search = PatchSearch(patch=12, radius=3)
  corners = [(row, column) for row in range(0, 28, 6) for column in range(0, 32, 8)]
  assert len(corners) % exhaustive_search._BATCH and len(corners) > 16
  found = matches(frame, next_frame, corners, search=search)
  for match, corner in zip(found, corners, strict=True):
    expected = slow_best(frame, next_frame, corner, search=search)
    np.testing.assert_allclose(match, expected, rtol=1e-4)
  assert matches(frame, next_frame, [], search=search) == []


@pytest.mark.parametrize("place", [(14, 19), (30, 35), (45, 50)])
def test_undefined_pixels_give_an_undefined_match(place):
  frame, next_frame = pair_of_frames("repeated")
  next_frame[place] = np.nan
  assert np.isnan(matches(frame, next_frame, [(20, 25)])).all()


def test_a_small_difference_survives_rounding():
  """Two patches 1e-4 apart: a mean square of 1e-8 beside intensities near 1."""
  frame = 0.9 + 0.05 * texture(60, 70)
  offset = np.float32(1e-4) * (1 - 2 * (np.indices(frame.shape).sum(0) % 2))
  ((mean_square, _),) = matches(frame, np.float32(frame + offset), [(20, 25)])
  assert mean_square == pytest.approx(1e-8, rel=2e-3)
