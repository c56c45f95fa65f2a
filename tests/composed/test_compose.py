"""Composing arrays: where the mask lands, and that nothing of the truth is left."""

import cv2
import numpy as np
import pytest

from dipvid_jax import composed
from dipvid_jax.composed import fit_frames, hide, place_mask
from dipvid_jax.composed.compose import HIDDEN_LEVEL, to_pngs
from dipvid_jax.composed.recipe import Recipe
from dipvid_jax.errors import InputError
from tests.support.media_files import moving_frames
from tests.support.signatures import positional_settings, public_functions, undocumented

FUNCTIONS = public_functions(composed)


def recipe(size, *, flip=False, scale_percent=100, offset=(0, 0), count=2):
  return Recipe(
    background="a",
    index=0,
    first_frame=0,
    frame_count=count,
    frame_rate="25",
    background_size=size,
    frame_size=size,
    mask="m",
    mask_size=(0, 0),
    mask_first_frame=0,
    flip=flip,
    scale_percent=scale_percent,
    offset=offset,
    seed=0,
  )


def random_masks(count, height, width):
  return np.random.default_rng(0).random((count, height, width)) < 0.3


def placed_slowly(masks, made):
  """Pixel by pixel, as the recipe reads."""
  height, width = made.frame_size
  _, mask_height, mask_width = masks.shape
  hole = np.zeros((made.frame_count, height, width, 1), np.uint8)
  for t in range(made.frame_count):
    for y in range(height):
      for x in range(width):
        # Back from the frame: unmove, unscale about the centre, unmirror.
        v = (y + 0.5 - made.offset[0] - height / 2) / (made.scale_percent / 100)
        u = (x + 0.5 - made.offset[1] - width / 2) / (made.scale_percent / 100)
        v, u = v / height + 0.5, u / width + 0.5
        if made.flip:
          u = 1 - u
        if 0 <= v < 1 and 0 <= u < 1:
          row, column = int(v * mask_height), int(u * mask_width)
          hole[t, y, x] = 255 * masks[t, row, column]
  return hole


@pytest.mark.parametrize(
  ("mask_size", "size", "how"),
  [
    ((12, 20), (12, 20), {}),
    ((12, 20), (24, 60), {}),
    ((25, 41), (12, 20), {}),
    ((12, 20), (12, 20), {"flip": True}),
    ((12, 20), (12, 20), {"offset": (3, -5)}),
    ((13, 17), (24, 40), {"scale_percent": 77, "offset": (-4, 9)}),
    ((13, 17), (24, 40), {"scale_percent": 121, "offset": (2, 3)}),
  ],
)
def test_a_mask_lands_where_the_recipe_says(mask_size, size, how):
  masks = random_masks(2, *mask_size)
  made = recipe(size, **how)
  hole = place_mask(masks, made)
  assert hole.dtype == np.uint8 and hole.shape == (2, *size, 1)
  assert np.array_equal(hole, placed_slowly(masks, made))


def test_mirrored_and_moved_at_once():
  """One pixel, followed by hand: mirrored from column 1 to 8, moved to 5 and down 2."""
  masks = np.zeros((1, 6, 10), bool)
  masks[0, 1, 1] = True
  made = recipe((6, 10), flip=True, offset=(2, -3), count=1)
  assert np.argwhere(place_mask(masks, made)[0, ..., 0]).tolist() == [[3, 5]]


def test_a_mask_that_fills_all_or_nothing_is_refused():
  with pytest.raises(InputError, match=r"a-m-0: the mask m leaves nothing but hole"):
    place_mask(np.ones((2, 4, 4), bool), recipe((8, 8)))
  lost = np.zeros((2, 4, 4), bool)
  lost[:, 3] = True
  with pytest.raises(InputError, match=r"leaves no hole in frames of 8x10"):
    place_mask(lost, recipe((8, 10), offset=(4, 0)))


def test_hiding_leaves_nothing_of_the_truth_in_the_hole():
  truth = moving_frames(2, 12, 20)
  hole = place_mask(random_masks(2, 12, 20), recipe((12, 20)))
  shown = hide(truth, hole)
  inside = np.broadcast_to(hole > 0, truth.shape)
  assert (shown[inside] == HIDDEN_LEVEL).all()
  assert np.array_equal(shown[~inside], truth[~inside])
  assert np.array_equal(hide(255 - truth, hole)[inside], shown[inside])


def test_frames_are_cut_to_the_aspect_and_averaged():
  frames = moving_frames(2, 48, 64)
  assert fit_frames(frames, size=(48, 64)) is frames
  fitted = fit_frames(frames, size=(12, 24))  # of 64 x 48 the central 64 x 32, by 8 / 3
  assert fitted.shape == (2, 12, 24, 3) and fitted.dtype == np.uint8
  halved = fit_frames(frames[:, 8:40], size=(16, 32))
  means = frames[:, 8:40].reshape(2, 16, 2, 32, 2, 3).mean(axis=(2, 4))
  assert np.abs(halved - means).max() <= 1
  assert np.abs(fitted.mean(axis=(1, 2)) - means.mean(axis=(1, 2))).max() < 1


@pytest.mark.parametrize("channels", [1, 3])
def test_pngs_keep_every_pixel_and_the_order_of_colours(channels):
  images = moving_frames(2, 12, 20)[..., :channels]
  for png, image in zip(to_pngs(images), images, strict=True):
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded.reshape(12, 20, channels)[..., ::-1], image)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_public_functions_keep_the_habits(name):
  named = {"read_composed": ["video_id"]}  # which video, as much as the set
  assert positional_settings(FUNCTIONS[name]) == named.get(name, [])
  assert undocumented(FUNCTIONS[name]) == []
