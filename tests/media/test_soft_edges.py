"""The line about a soft mask's pixels that are not filled."""

import cv2
import numpy as np
import pytest

from dipvid_jax.media.masks import dilate
from dipvid_jax.media.soft_edges import left_out


def clip(image, count=4):
  return np.broadcast_to(image[..., None], (count, *image.shape, 1))


def block(blur):
  """A square of 40 pixels with soft edges."""
  image = np.zeros((64, 96), np.uint8)
  image[12:52, 20:60] = 255
  return cv2.GaussianBlur(image, (0, 0), blur) if blur else image


def letters():
  """Strokes of two pixels, drawn at eight times the size and reduced."""
  large = np.zeros((64 * 8, 96 * 8), np.uint8)
  cv2.putText(large, "abc", (60, 340), cv2.FONT_HERSHEY_DUPLEX, 6, 255, 14, cv2.LINE_AA)
  return cv2.resize(large, (96, 64), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("blur", [0, 0.7])
def test_hard_edges_and_smoothed_ones_need_no_word(blur):
  assert left_out(clip(block(blur)), clip(block(blur))) == ""


def test_noise_of_compression_needs_no_word():
  noise = np.random.default_rng(0).integers(0, 15, (64, 96), np.uint8)
  mask = clip(np.maximum(block(0), noise))
  assert left_out(mask, mask) == ""


def test_a_wide_soft_edge_is_said_with_its_number():
  image = block(6)
  lost, hole = int(((image > 16) & (image <= 127)).sum()), int((image > 127).sum())
  line = left_out(clip(image), clip(image))
  assert line.startswith(f"{lost:,} pixels are marked with 127 or less")
  assert f"(the hole has {hole:,}); --mask-threshold 16 fills them" in line
  assert "--dilate" not in line and "\n" not in line


def test_frames_that_differ_are_counted_all():
  masks = np.stack([block(6), np.roll(block(6), 3, axis=1)])[..., None]
  once = left_out(clip(block(6)), clip(block(6)))
  number, _, rest = once.partition(" ")
  twice = 2 * int(number.replace(",", ""))
  assert left_out(masks, masks).startswith(f"{twice:,} {rest.split('(')[0]}")


def test_letters_with_soft_edges_are_told_to_grow():
  mask = clip(letters())
  assert left_out(mask, mask).endswith("thin shapes better --dilate 2")
  assert left_out(mask, dilate(mask, 2)) == ""
