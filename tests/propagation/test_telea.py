"""Telea's filling: from the border alone, and only inside the hole."""

import cv2
import numpy as np

from dipvid_jax.propagation.telea import telea
from tests.support.synthetic import moving_hole, translating_clip

COUNT, SIZE = 3, (24, 32)
FRAMES = translating_clip(COUNT, SIZE)
HOLES = moving_hole(COUNT, SIZE)  # in the first frame one pixel from the edge


def test_outside_the_hole_nothing_changes():
  filled = telea(FRAMES, HOLES)
  assert filled.shape == FRAMES.shape and filled.dtype == np.float32
  outside = np.broadcast_to(HOLES == 0, FRAMES.shape)
  np.testing.assert_array_equal(filled[outside], FRAMES[outside])


def test_the_holes_content_has_no_influence():
  for left in (0, 1, 3, 24):
    holes = np.roll(HOLES, left - 1, axis=2)
    hidden = np.where(holes > 0, 0, FRAMES)
    np.testing.assert_array_equal(telea(hidden, holes), telea(FRAMES, holes))


def test_a_flat_frame_is_filled_with_its_colour():
  colour = np.float32([51, 102, 204]) / 255
  frames = np.broadcast_to(colour, FRAMES.shape)
  filled = telea(np.where(HOLES > 0, 0, frames), HOLES)
  # OpenCV rounds up and down by a level or two.
  np.testing.assert_allclose(filled, frames, atol=2.5 / 255)


def test_a_frame_that_is_all_hole_stays_finite():
  assert np.isfinite(telea(FRAMES, np.ones_like(HOLES))).all()


def test_is_opencvs_with_a_radius_of_3_frame_by_frame():
  holes = np.roll(HOLES, 4, axis=2)  # at the edge OpenCV itself reads the hole
  for frame, hole, result in zip(FRAMES, holes, telea(FRAMES, holes), strict=True):
    levels = np.rint(frame * 255).astype(np.uint8)
    expected = cv2.inpaint(levels, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    np.testing.assert_array_equal(np.rint(result * 255), expected)
    inside = hole[..., 0] > 0
    np.testing.assert_array_equal(result[inside], np.float32(expected[inside]) / 255)
