"""Recipes: drawn from a seed, each background's from its own name alone."""

import dataclasses

import numpy as np
import pytest

from dipvid_jax.composed import ClipFacts, MaskFacts, Recipe, draw_recipes
from dipvid_jax.composed.recipe import mask_frames
from dipvid_jax.errors import InputError

_SIZE = (24, 40)


def clips(*names, count=30):
  return [ClipFacts(name, count, _SIZE, "25") for name in names]


def mask(name, centres):
  return MaskFacts(name, (12, 20), np.array(centres, float))


def central(*names, count=9):
  return [mask(name, [[0.5, 0.5]] * count) for name in names]


def draw(backgrounds, masks, *, segment_length=6, masks_per_segment=2, seed=1, **kw):
  return draw_recipes(
    backgrounds,
    masks,
    segment_length=segment_length,
    masks_per_segment=masks_per_segment,
    seed=seed,
    **kw,
  )


def recipe(**changes):
  return dataclasses.replace(draw(clips("a"), central("m", "n"))[0], **changes)


def test_each_background_gets_other_masks_of_one_segment():
  drawn = draw(clips("a", "b"), central("k", "l", "m"), masks_per_segment=3)
  assert [(r.background, r.index) for r in drawn] == [
    (name, index) for name in "ab" for index in range(3)
  ]
  for name in "ab":
    own = [r for r in drawn if r.background == name]
    assert {r.mask for r in own} == {"k", "l", "m"}
    assert len({r.first_frame for r in own}) == 1
  assert all((r.flip, r.scale_percent, r.offset) == (False, 100, (0, 0)) for r in drawn)
  assert all(r.frame_size == _SIZE and r.mask_size == (12, 20) for r in drawn)
  assert drawn[1].video_id == f"a-{drawn[1].mask}-1"


def test_a_seed_repeats_and_another_differs():
  masks = central("k", "l", "m", "n", count=40)
  first, again, other = (
    draw(clips("a", "b"), masks, seed=seed, vary=True) for seed in (1, 1, 2)
  )
  assert first == again
  placements = [
    {(r.first_frame, r.mask_first_frame, r.offset, r.scale_percent) for r in drawn}
    for drawn in (first, other)
  ]
  assert not placements[0] & placements[1]


def test_another_background_changes_no_other():
  masks = central("k", "l", "m")
  both = draw(clips("a", "b"), masks, vary=True)
  assert draw(clips("b"), masks, vary=True) == [r for r in both if r.background == "b"]


def test_the_segment_is_drawn_from_the_whole_background():
  starts = {
    draw(clips("a", count=10), central("m", "n"), seed=seed)[0].first_frame
    for seed in range(40)
  }
  assert starts == {0, 1, 2, 3, 4}  # 10 frames, 6 of them


def test_its_own_mask_is_the_last_resort():
  for seed in range(8):
    drawn = draw(clips("a"), central("a", "k", "l"), seed=seed)
    assert {r.mask for r in drawn} == {"k", "l"}
  alone = draw(clips("a"), central("a"), masks_per_segment=1)
  assert alone[0].mask == "a"


def test_too_few_masks_are_an_error_unless_they_vary():
  with pytest.raises(InputError, match=r"a: needs 3 masks .* there are 2; .*--vary"):
    draw(clips("a"), central("k", "l"), masks_per_segment=3)
  drawn = draw(clips("a"), central("k", "l"), masks_per_segment=4, vary=True)
  assert sorted(r.mask for r in drawn) == ["k", "k", "l", "l"]
  assert len({(r.flip, r.scale_percent, r.offset) for r in drawn}) == 4


def test_two_videos_of_one_id_are_refused():
  with pytest.raises(InputError, match="two videos would be named a-b-c-0"):
    for seed in range(20):  # until the masks c and b-c both come first
      draw(clips("a", "a-b"), central("c", "b-c"), masks_per_segment=1, seed=seed)


def test_variation_stays_within_what_is_promised():
  drawn = [
    r
    for seed in range(40)
    for r in draw(clips("a"), central("m", "n"), seed=seed, vary=True)
  ]
  assert {r.flip for r in drawn} == {False, True}
  scales = [r.scale_percent for r in drawn]
  assert 75 <= min(scales) < 85 and 115 < max(scales) <= 125
  for axis, side in enumerate(_SIZE):
    shifts = [r.offset[axis] for r in drawn]
    assert max(map(abs, shifts)) <= side // 4
    assert min(shifts) < 0 < max(shifts)


def test_a_hole_at_the_edge_is_not_moved_out():
  """The centre of a hole in the lower right corner is still in the frame."""
  corner = mask("m", [[0.95, 0.95]] * 9)
  for seed in range(40):
    (r,) = draw(clips("a"), [corner], masks_per_segment=1, seed=seed, vary=True)
    centre = np.array([0.95, 0.05 if r.flip else 0.95]) - 0.5
    placed = centre * r.scale_percent / 100 + 0.5 + np.divide(r.offset, _SIZE)
    assert (placed > 0).all() and (placed < 1).all()


def test_frames_without_hole_are_not_all_that_is_drawn():
  """One mask of 200 has a hole: most draws miss it, none is kept without it."""
  centres = np.full((200, 2), np.nan)
  centres[150] = 0.5
  for seed in range(5):
    (r,) = draw(clips("a"), [mask("m", centres)], masks_per_segment=1, seed=seed)
    assert 150 in mask_frames(r, 200)


@pytest.mark.parametrize(
  ("first", "count", "expected"),
  [
    (0, 9, [0, 1, 2, 3, 4, 5]),
    (3, 9, [3, 4, 5, 6, 7, 8]),
    (0, 4, [0, 1, 2, 3, 2, 1]),
    (1, 3, [1, 2, 1, 0, 1, 2]),
    (0, 2, [0, 1, 0, 1, 0, 1]),
    (0, 1, [0, 0, 0, 0, 0, 0]),
  ],
)
def test_short_masks_run_back_and_forth(first, count, expected):
  frames = mask_frames(recipe(mask_first_frame=first, frame_count=6), count)
  assert frames.tolist() == expected


def test_a_recipe_is_plain_values():
  for drawn in (recipe(), draw(clips("a"), central("m", "n"), vary=True)[1]):
    for field in dataclasses.fields(Recipe):
      value = getattr(drawn, field.name)
      for part in value if isinstance(value, tuple) else [value]:
        assert type(part) in (int, str, bool)
