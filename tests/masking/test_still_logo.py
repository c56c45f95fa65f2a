"""A logo on a picture that moves, and what is refused."""

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import Rectangle
from dipvid_jax.masking.still_logo import find_logo
from tests.support.synthetic import translating_clip

_SIZE = (96, 144)


def moving(count=24, step=(3, 2)):
  """`[count, 96, 144, 3]` uint8: a texture that moves."""
  return np.rint(255 * translating_clip(count, _SIZE, step=step)).astype(np.uint8)


def disc(centre, radius=9):
  alpha = np.zeros(_SIZE, np.uint8)
  return cv2.circle(alpha, centre, radius, 255, -1).astype(np.float32) / 255


def drawn(frames, alpha, colour=(240, 240, 240)):
  alpha = alpha[..., None]
  return np.rint(frames * (1 - alpha) + np.array(colour) * alpha).astype(np.uint8)


@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_a_logo_is_found_whole(opacity):
  alpha = disc((20, 20))
  mask = find_logo(drawn(moving(), opacity * alpha))
  assert mask.shape == _SIZE and mask.dtype == bool
  assert mask[alpha > 0].mean() > 0.99
  away = cv2.dilate(alpha, np.ones((13, 13)))
  assert not mask[away == 0].any()


def test_letters_are_found():
  alpha = np.zeros(_SIZE, np.uint8)
  cv2.putText(alpha, "TV", (8, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
  mask = find_logo(drawn(moving(), alpha / np.float32(255) * 0.6))
  assert mask[alpha > 128].mean() > 0.98
  assert mask.sum() < 3 * (alpha > 0).sum()


def test_a_rectangle_says_which_of_two():
  left, right = disc((16, 20)), disc((120, 70))
  frames = drawn(drawn(moving(), left), right)
  both = find_logo(frames)
  assert both[20, 16] and both[70, 120]
  one = find_logo(frames, within=Rectangle(100, 50, 44, 46))
  assert one[70, 120] and not one[:, :72].any()


def test_a_faint_logo_beside_a_strong_one_is_found():
  strong, faint = disc((20, 20), 12), disc((110, 70), 8)
  frames = drawn(drawn(moving(), strong, (250, 20, 20)), 0.25 * faint)
  mask = find_logo(frames)
  assert mask[strong > 0].mean() > 0.99 and mask[faint > 0].mean() > 0.99


def test_progress_counts_rows():
  seen = []
  find_logo(drawn(moving(), disc((20, 20))), on_progress=seen.append)
  assert sum(seen) == _SIZE[0]


def noisy(frames):
  noise = np.random.default_rng(0).normal(0, 2, frames.shape)
  return np.clip(frames + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
  ("frames", "words"),
  [
    (moving(19), "needs 20 frames"),
    (moving(), "nothing stands still"),
    (drawn(noisy(moving(24, (0, 0))), disc((20, 20))), "camera does not move enough"),
    (np.full((24, *_SIZE, 3), 90, np.uint8), "hardly any detail"),
  ],
)
def test_what_cannot_be_told_apart_is_said(frames, words):
  with pytest.raises(InputError, match=words) as error:
    find_logo(frames)
  assert str(error.value).startswith("--logo: ") and "--box" in str(error.value)


def test_a_still_camera_is_noticed_outside_of_the_rectangle():
  frames = drawn(noisy(moving(24, (0, 0))), disc((20, 20)))
  with pytest.raises(InputError, match="does not move enough"):
    find_logo(frames, within=Rectangle(8, 8, 26, 26))
