"""Clips and holes at the working size, and results put back into the input."""

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare, put_back
from dipvid_jax.media.stacking import stack
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


def test_the_authors_clip_is_cropped_like_theirs():
  # 240 x 432 at 192 x 384: 216 of the 240 rows, from row 12.
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


def test_the_padding_does_not_reveal_what_the_hole_hides():
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


@pytest.mark.parametrize(("covered", "expected"), [(1, 0), (3, 1), (4, 1)])
def test_the_hole_is_thresholded_after_the_resize(covered, expected):
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


def test_masks_of_zero_and_one():
  expected = prepare(FRAMES, MIDDLE, size=(30, 40), fit="pad")
  ones = prepare(FRAMES, MIDDLE // 255, size=(30, 40), fit="pad")
  np.testing.assert_array_equal(ones[1], expected[1])


def test_masks_that_mark_nothing_enough_are_refused():
  with pytest.raises(InputError, match=r"^masks: no hole: values only up to 5; .*255"):
    prepare(FRAMES, MIDDLE // 51, size=(30, 40), fit="pad")
  _, holes = prepare(FRAMES, np.zeros_like(MIDDLE), size=(30, 40), fit="pad")
  assert not holes.any()


def test_a_hole_outside_the_crop_names_the_setting():
  masks = hole_at(slice(0, 30), slice(30, 50))
  with pytest.raises(InputError, match=r'40x80 of 60x80 .* set fit="pad"'):
    prepare(FRAMES, masks, size=(20, 40), fit="crop")
  prepare(FRAMES, masks, size=(20, 40), fit="pad")


def test_a_hole_may_reach_the_edge_of_the_crop():
  masks = hole_at(slice(10, 50), slice(0, 80))
  masks[1] = 0
  _, holes = prepare(FRAMES, masks, size=(20, 40), fit="crop")
  assert holes[0].all() and not holes[1].any()


@pytest.mark.parametrize("levels", [None, 3])
def test_a_hole_that_leaves_nothing_is_an_error(levels):
  masks = hole_at(slice(0, 60), slice(0, 80))
  masks[:, 30, 40] = 0
  way = {"size": (20, 40), "fit": "pad", "hide_hole": True, "levels": levels}
  with pytest.raises(InputError, match=r"leaves nothing to learn from; .*--dilate"):
    prepare(FRAMES, masks, **way)


def test_a_hole_that_vanishes_is_an_error():
  with pytest.raises(InputError, match=r"no hole is left at size=15x20 .*--dilate"):
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


def test_padding_to_a_suitable_size_reflects():
  frames, holes = prepare(FRAMES, MIDDLE, size=None, fit="pad", levels=5)
  assert frames.shape[1:3] == (96, 96)  # 18 rows on both sides, 8 columns
  content = frames[:, 18:78, 8:88]
  np.testing.assert_array_equal(content, np.float32(FRAMES) / np.float32(255))
  np.testing.assert_array_equal(holes[:, 18:78, 8:88], MIDDLE // 255)
  np.testing.assert_array_equal(frames[:, :18, 8:88], content[:, 18:0:-1])
  np.testing.assert_array_equal(frames[:, :, :8], frames[:, :, 16:8:-1])


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [None, (37, 53)])
def test_padding_is_cropped_from_the_result(size, fit):
  way = {"size": size, "fit": fit, "levels": 4}
  prepared, _ = prepare(FRAMES, MIDDLE, **way)
  placement = place((60, 80), **way)
  levels = np.rint(prepared * 255).astype(np.uint8)
  filled = stack(put_back(FRAMES, MIDDLE, levels, placement=placement))
  assert np.abs(filled.astype(int) - FRAMES).max() <= (0 if size is None else 6)


def put_back_feathered(frames, result, generated, **changes):
  placement = place((60, 80), size=(60, 80), fit="pad")
  return stack(
    put_back(
      frames, MIDDLE, result, placement=placement, generated=generated, **changes
    )
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
def test_a_feather_corrects_only_the_networks_share(share):
  frames, generated = np.full_like(FRAMES, 120), np.full_like(FRAMES, 80)
  shares = np.full((2, 60, 80, 1), share, np.float32)
  filled = put_back_feathered(frames, generated, generated, feather=4, share=shares)
  assert (filled[:, 25, 30:50] == 80 + 40 * share).all()
  np.testing.assert_array_equal(filled[:, 29:31, 34:46], 80)


def test_a_feather_needs_the_networks_frames():
  with pytest.raises(ValueError, match="feather needs the network's own frames"):
    put_back_feathered(FRAMES, FRAMES, None, feather=2)
