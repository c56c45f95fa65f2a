"""The seam is corrected inside the hole only, and never with what the hole hides."""

import cv2
import numpy as np
import pytest

from dipvid_jax.media.seam import border_correction

_SIZE = (40, 60)


def box(top, bottom, left, right):
  hole = np.zeros(_SIZE, bool)
  hole[top:bottom, left:right] = True
  return hole


def disc():
  y, x = np.mgrid[: _SIZE[0], : _SIZE[1]]
  return (y - 18) ** 2 + (x - 30) ** 2 < 14**2


HOLES = {
  "box": box(10, 30, 20, 40),
  "disc": disc(),
  "corner": box(0, 15, 0, 20),
  "band": box(15, 28, 0, 60),
  "one pixel": box(7, 8, 9, 10),
  "two": box(2, 12, 2, 20) | box(22, 38, 30, 58),
}


def pixels(seed):
  return np.random.default_rng(seed).integers(0, 256, (*_SIZE, 3), np.uint8)


def slow(surroundings, generated, hole, width):
  """The definition, pixel by pixel, in float64."""
  inside = np.argwhere(hole)
  outside = np.argwhere(~hole)
  ring = [p for p in outside if np.abs(inside - p).max(axis=1).min() <= 2]
  added = np.zeros((*_SIZE, 3))
  for q in inside:
    weight = 1 - (np.linalg.norm(outside - q, axis=1).min() - 1) / width
    if weight <= 0:
      continue
    near = np.exp([-((p - q) ** 2).sum() / (2 * (width / 2) ** 2) for p in ring])
    steps = [float(1) * surroundings[tuple(p)] - generated[tuple(p)] for p in ring]
    added[tuple(q)] = weight * (near @ np.array(steps)) / near.sum()
  return added


@pytest.mark.parametrize("name", ["box", "disc", "corner"])
@pytest.mark.parametrize("width", [3, 6])
def test_the_correction_is_the_averaged_step_fading_inward(name, width):
  """OpenCV's Gaussian ends after four standard deviations; the oracle's does not."""
  hole = HOLES[name]
  smooth = cv2.GaussianBlur(pixels(0), (0, 0), 3)
  added = border_correction(smooth, np.full_like(smooth, 90), hole, pixels=width)
  np.testing.assert_allclose(
    added, slow(smooth, 90 + 0 * smooth, hole, width), atol=0.5
  )


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("width", [0.5, 1, 2, 5, 30])
def test_a_constant_step_vanishes_at_the_border_and_fades_to_nothing(name, width):
  hole = HOLES[name]
  surroundings = np.full((*_SIZE, 3), 130, np.uint8)
  added = border_correction(surroundings, surroundings - 40, hole, pixels=width)
  distance = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 0)
  weight = np.where(hole, np.clip(1 - (distance - 1) / width, 0, 1), 0)
  np.testing.assert_allclose(added, 40 * weight[..., None].repeat(3, -1), atol=1e-2)


@pytest.mark.parametrize("name", HOLES)
def test_what_the_hole_hides_is_never_read(name):
  hole = HOLES[name]
  one = pixels(1)
  other = np.where(hole[..., None], pixels(2), one)
  generated = pixels(3)
  np.testing.assert_array_equal(
    border_correction(one, generated, hole, pixels=4),
    border_correction(other, generated, hole, pixels=4),
  )


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("width", [1, 4])
def test_a_network_that_agrees_outside_is_left_alone(name, width):
  """Nothing is added outside the hole either, or deeper than the feather."""
  hole = HOLES[name]
  frame = pixels(4)
  generated = np.where(hole[..., None], pixels(5), frame)
  assert not border_correction(frame, generated, hole, pixels=width).any()
  added = border_correction(pixels(6), generated, hole, pixels=width)
  distance = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 0)
  assert not added[~hole].any()
  assert not added[distance >= width + 1].any()
  assert added[hole & (distance <= 1)].any()


@pytest.mark.parametrize("hole", [np.zeros(_SIZE, bool), np.ones(_SIZE, bool)])
def test_without_a_border_there_is_no_correction(hole):
  assert not border_correction(pixels(0), pixels(1), hole, pixels=3).any()


@pytest.mark.parametrize("width", [0, -1])
def test_a_feather_needs_a_positive_width(width):
  with pytest.raises(ValueError, match="must be positive"):
    border_correction(pixels(0), pixels(1), HOLES["box"], pixels=width)
