"""Fitting clips to the working size."""

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import (
  check_size,
  check_smallest,
  place,
  prepare,
  put_back,
)
from tests.support import media_files


def hole_at(rows, columns, shape=(2, 60, 80)):
  masks = np.zeros((*shape, 1), np.uint8)
  masks[:, rows, columns] = 255
  return masks


FRAMES = media_files.moving_frames(2, 60, 80)
MIDDLE = hole_at(slice(25, 35), slice(30, 50))


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(60, 80), (30, 40), (32, 64), (64, 32), (96, 96)])
def test_ranges_types_and_shapes(fit, size):
  frames, holes = prepare(FRAMES, MIDDLE, size=size, fit=fit)
  assert frames.shape == (2, *size, 3)
  assert holes.shape == (2, *size, 1)
  assert frames.dtype == holes.dtype == np.float32
  assert frames.min() >= 0
  assert frames.max() <= 1
  assert set(np.unique(holes)) == {0, 1}


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_the_input_size_changes_nothing(fit):
  frames, holes = prepare(FRAMES, MIDDLE, size=(60, 80), fit=fit)
  np.testing.assert_array_equal(frames, FRAMES.astype(np.float32) / np.float32(255))
  np.testing.assert_array_equal(holes, MIDDLE // 255)


def test_crop_is_central_and_area_resized():
  # 60 x 80 to the aspect of 20 x 40: rows 10 to 50, then halved: means of 2 x 2.
  frames, _ = prepare(FRAMES, MIDDLE, size=(20, 40), fit="crop")
  means = FRAMES[:, 10:50].reshape(2, 20, 2, 40, 2, 3).mean(axis=(2, 4))
  np.testing.assert_allclose(frames * 255, means, atol=0.51)  # rounded to uint8


def test_the_authors_clip_is_cropped_as_they_do():
  # 240 x 432 at 192 x 384: 216 of the 240 rows, from row 12.
  placement = place((240, 432), size=(192, 384), fit="crop")
  assert placement.source == (12, 0, 216, 432)
  assert placement.target == (0, 0, 192, 384)
  random = np.random.default_rng(0).integers(0, 256, (1, 240, 432, 3), np.uint8)
  masks = hole_at(slice(100, 140), slice(100, 140), (1, 240, 432))
  frames, _ = prepare(random, masks, size=(192, 384), fit="crop")
  expected = cv2.resize(random[0, 12:228], (384, 192), interpolation=cv2.INTER_AREA)
  np.testing.assert_array_equal(
    frames[0], expected.astype(np.float32) / np.float32(255)
  )


def test_pad_keeps_the_aspect_and_reflects():
  # 60 x 80 at 30 x 64: halved to 30 x 40, with 12 columns on both sides.
  frames, _ = prepare(FRAMES, MIDDLE, size=(30, 64), fit="pad")
  small = np.stack(
    [cv2.resize(f, (40, 30), interpolation=cv2.INTER_AREA) for f in FRAMES]
  )
  np.testing.assert_allclose(frames[:, :, 12:52] * 255, small, atol=1e-4)
  np.testing.assert_array_equal(frames[:, :, :12], frames[:, :, 24:12:-1])
  np.testing.assert_array_equal(frames[:, :, 52:], frames[:, :, 50:38:-1])


def test_what_the_hole_hides_is_not_shown_in_the_padding():
  frames, masks = np.full_like(FRAMES, 50), hole_at(slice(20, 40), slice(0, 12))
  frames[np.broadcast_to(masks > 0, frames.shape)] = 250  # the thing to remove
  prepared, holes = prepare(frames, masks, size=(60, 120), fit="pad")
  assert prepared.max() > 0.9
  assert (prepared * (1 - holes)).max() < 0.2


@pytest.mark.parametrize("size", [(9, 200), (200, 9)])
def test_padding_may_be_wider_than_the_content(size):
  frames, _ = prepare(FRAMES, MIDDLE, size=size, fit="pad")
  assert frames.shape[1:3] == size
  assert frames.std() > 0.05


def test_tiny_clips_can_be_padded():
  frames = np.full((1, 1, 2, 3), 200, np.uint8)
  masks = np.array([[[[255], [0]]]], np.uint8)
  prepared, holes = prepare(frames, masks, size=(8, 8), fit="pad")
  np.testing.assert_allclose(prepared, 200 / 255, rtol=1e-6)
  assert 0 < holes.mean() < 1


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("seed", range(20))
def test_placements_are_centred_and_inside(fit, seed):
  random = np.random.default_rng(seed)
  input_size, size = (tuple(map(int, random.integers(1, 300, 2))) for _ in "ab")
  placement = place(input_size, size=size, fit=fit)
  assert (placement.input_size, placement.size) == (input_size, size)
  for box, room in ((placement.source, input_size), (placement.target, size)):
    assert box.height >= 1
    assert box.width >= 1
    for before, length, side in zip(box[:2], box[2:], room, strict=True):
      assert before >= 0
      assert 0 <= side - before - length - before <= 1
  whole = placement.target if fit == "crop" else placement.source
  assert whole == (0, 0, *(size if fit == "crop" else input_size))


@pytest.mark.parametrize(("covered", "expected"), [(1, 0), (3, 1), (4, 1)])
def test_hole_is_decided_after_the_resize(covered, expected):
  masks = np.zeros((1, 4, 4, 1), np.uint8)  # each 2 x 2 block becomes one pixel
  masks[0, [0, 0, 1, 1][:covered], [0, 1, 0, 1][:covered]] = 255
  masks[0, 2:, 2:] = 255
  _, holes = prepare(np.zeros((1, 4, 4, 3), np.uint8), masks, size=(2, 2), fit="crop")
  assert holes[0, ..., 0].tolist() == [[expected, 0], [0, 1]]


def test_threshold_is_above_127():
  masks = hole_at(slice(0, 30), slice(0, 40))
  masks[masks == 0] = 127
  masks[masks == 255] = 128
  _, holes = prepare(FRAMES, masks, size=(60, 80), fit="crop")
  np.testing.assert_array_equal(holes, masks == 128)


def test_a_hole_outside_the_crop_names_the_setting():
  masks = hole_at(slice(0, 30), slice(30, 50))
  with pytest.raises(InputError, match=r'80x40 of 80x60 .* set fit="pad"'):
    prepare(FRAMES, masks, size=(20, 40), fit="crop")
  prepare(FRAMES, masks, size=(20, 40), fit="pad")


def test_a_hole_up_to_the_edge_of_the_crop_is_inside():
  masks = hole_at(slice(10, 50), slice(0, 80))
  masks[1] = 0
  _, holes = prepare(FRAMES, masks, size=(20, 40), fit="crop")
  assert holes[0].all() and not holes[1].any()


@pytest.mark.parametrize("levels", [None, 3])
def test_a_hole_that_leaves_nothing_is_an_error(levels):
  masks = hole_at(slice(0, 60), slice(0, 80))
  masks[:, 30, 40] = 0
  way = {"size": (20, 40), "fit": "pad", "hide_hole": True, "levels": levels}
  with pytest.raises(InputError, match=r"nothing is left to learn from; .*--dilate"):
    prepare(FRAMES, masks, **way)


def test_a_hole_that_vanishes_is_an_error():
  with pytest.raises(InputError, match=r"no hole is left at size=15x20: .*--dilate"):
    prepare(FRAMES, hole_at(30, 40), size=(15, 20), fit="crop")


@pytest.mark.parametrize(
  ("frames", "masks", "words"),
  [
    (FRAMES.astype(np.float32), MIDDLE, r"frames must be \[T, H, W, 3\] uint8"),
    (FRAMES[0], MIDDLE, r"frames must be \[T, H, W, 3\] uint8"),
    (FRAMES, MIDDLE.astype(bool), "masks must be .* uint8"),
    (FRAMES, MIDDLE[:1], r"masks must be \[2, 60, 80, 1\]"),
    (FRAMES, MIDDLE[..., 0], r"masks must be \[2, 60, 80, 1\]"),
    (FRAMES[:0], MIDDLE[:0], "empty"),
  ],
)
def test_wrong_arrays(frames, masks, words):
  with pytest.raises(ValueError, match=words):
    prepare(frames, masks, size=(60, 80), fit="crop")


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("levels", [1, 3, 4])
@pytest.mark.parametrize("size", [(60, 80), (61, 83), (33, 49), (5, 90), (1, 1), None])
def test_any_size_is_padded_to_one_that_suits(size, levels, fit):
  plain = place((60, 80), size=size, fit=fit)
  placement = place((60, 80), size=size, fit=fit, levels=levels)
  check_size(placement.size, levels)
  for side, content in zip(placement.size, size or (60, 80), strict=True):
    smallest = 3 * 2**levels
    assert side == smallest if content <= smallest else side - content < 2**levels
  assert placement.source == plain.source
  assert placement.target[2:] == plain.target[2:]


def test_the_padding_to_a_suiting_size_is_the_reflection():
  frames, holes = prepare(FRAMES, MIDDLE, size=None, fit="pad", levels=5)
  assert frames.shape[1:3] == (96, 96)  # 18 rows on both sides, 8 columns
  content = frames[:, 18:78, 8:88]
  np.testing.assert_array_equal(content, np.float32(FRAMES) / np.float32(255))
  np.testing.assert_array_equal(holes[:, 18:78, 8:88], MIDDLE // 255)
  np.testing.assert_array_equal(frames[:, :18, 8:88], content[:, 18:0:-1])
  np.testing.assert_array_equal(frames[:, :, :8], frames[:, :, 16:8:-1])


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [None, (37, 53)])
def test_what_was_padded_is_cut_off_after(size, fit):
  way = {"size": size, "fit": fit, "levels": 4}
  prepared, _ = prepare(FRAMES, MIDDLE, **way)
  placement = place((60, 80), **way)
  levels = np.rint(prepared * 255).astype(np.uint8)
  filled = put_back(FRAMES, MIDDLE, levels, placement=placement)
  assert np.abs(filled.astype(int) - FRAMES).max() <= (0 if size is None else 6)


def put_back_feathered(frames, result, generated, **changes):
  placement = place((60, 80), size=(60, 80), fit="pad")
  return put_back(
    frames, MIDDLE, result, placement=placement, generated=generated, **changes
  )


@pytest.mark.parametrize("feather", [1, 3, 8])
def test_a_feather_changes_nothing_outside_and_reads_nothing_inside(feather):
  random = np.random.default_rng(feather)
  result, noise = random.integers(0, 256, (2, *FRAMES.shape), np.uint8)
  hole = MIDDLE[..., 0] > 0
  filled = put_back_feathered(FRAMES, result, result, feather=feather)
  np.testing.assert_array_equal(filled[~hole], FRAMES[~hole])
  other = put_back_feathered(
    np.where(MIDDLE > 0, noise, FRAMES), result, result, feather=feather
  )
  np.testing.assert_array_equal(filled[hole], other[hole])
  assert (filled[hole] != result[hole]).any()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_feather_changes_the_networks_share_alone(share):
  frames, generated = np.full_like(FRAMES, 120), np.full_like(FRAMES, 80)
  shares = np.full((2, 60, 80, 1), share, np.float32)
  filled = put_back_feathered(frames, generated, generated, feather=4, share=shares)
  assert (filled[:, 25, 30:50] == 80 + 40 * share).all()
  np.testing.assert_array_equal(filled[:, 29:31, 34:46], 80)


def test_a_feather_needs_the_networks_frames():
  with pytest.raises(ValueError, match="feather needs the network's own frames"):
    put_back_feathered(FRAMES, FRAMES, None, feather=2)


def test_unknown_fit():
  with pytest.raises(InputError, match='fit="stretch" is not known'):
    prepare(FRAMES, MIDDLE, size=(60, 80), fit="stretch")


@pytest.mark.parametrize(
  ("size", "levels"),
  [((192, 384), 6), ((96, 192), 5), ((192, 192), 6), ((6, 6), 1), ((96, 96), 4)],
)
def test_good_sizes(size, levels):
  check_size(size, levels)


@pytest.mark.parametrize(
  ("size", "levels", "words"),
  [
    (
      (96, 192),
      6,
      r"size=96x192 .* levels=6: .* multiples of 64 and at least 192, such as"
      r" 192x192; or use levels=5$",
    ),
    ((240, 432), 6, "such as 256x448; or use levels=4"),
    ((128, 256), 6, "such as 192x256; or use levels=5"),
    ((2, 2), 1, "multiples of 2 and at least 6, such as 6x6$"),
    ((191, 383), 6, "such as 192x384$"),
    ((0, 64), 2, "at least"),
    ((64, 64), 0, "at least"),
  ],
)
def test_bad_sizes_say_which_would_do(size, levels, words):
  with pytest.raises(InputError, match=words):
    check_size(size, levels)


@pytest.mark.parametrize(
  ("size", "levels", "words"),
  [
    ((95, 500), 5, r"size=95x500 .* too small for levels=5: .* 96; or use levels=4$"),
    ((500, 191), 6, "at least 192; or use levels=5$"),
    ((5, 5), 1, "at least 6$"),
  ],
)
def test_a_size_too_small_says_what_would_do(size, levels, words):
  with pytest.raises(InputError, match=words):
    check_smallest(size, levels)
  check_smallest((max(size), max(size)), 1 if levels > 1 else 0)


@pytest.mark.parametrize("levels", range(1, 7))
def test_what_the_line_suggests_is_good(levels):
  for side in (1, 50, 100, 333, 1080):
    try:
      check_size((side, 2 * side), levels)
    except InputError as error:
      words = str(error).split("such as ")[1].split(";")[0]
      check_size(tuple(int(n) for n in words.split("x")), levels)
