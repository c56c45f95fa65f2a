"""Photometric changes against OpenCV."""

import cv2
import jax
import numpy as np
import pytest

from flow.procedural import photometric
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import texture

IMAGE = texture(44, 60)


@pytest.mark.parametrize("sigma", [0.6, 1.0])
def test_blur_is_a_gaussian(sigma):
  expected = cv2.GaussianBlur(IMAGE, (7, 7), sigma, borderType=cv2.BORDER_REPLICATE)
  np.testing.assert_allclose(photometric.blur(IMAGE, sigma), expected, atol=1e-5)


def test_no_blur_changes_nothing():
  np.testing.assert_array_equal(photometric.blur(IMAGE, 0.0), IMAGE)


def test_compression_rounds_the_cosine_transform_of_blocks():
  step = 0.1
  red, green, blue = np.moveaxis(IMAGE, -1, 0)
  luma = 0.299 * red + 0.587 * green + 0.114 * blue
  compressed = np.asarray(photometric.compress(IMAGE, step))
  assert compressed.shape == IMAGE.shape
  changed = compressed @ np.float32([0.299, 0.587, 0.114])
  frequency = np.add.outer(np.arange(8), np.arange(8))
  for top, left in ((0, 0), (16, 40), (32, 8)):
    block = np.s_[top : top + 8, left : left + 8]
    steps = step * (1 + frequency / 2)
    expected = np.round(cv2.dct(luma[block]) / steps) * steps
    np.testing.assert_allclose(cv2.dct(changed[block]), expected, atol=1e-4)


def test_fine_steps_keep_the_picture():
  np.testing.assert_allclose(photometric.compress(IMAGE, 1e-5), IMAGE, atol=1e-3)


def test_pairs_change_together_more_than_apart():
  keys = jax.random.split(jax.random.key(0), 24)
  distort = jax.jit(jax.vmap(photometric.distort, (0, None, None)))
  first, second = map(np.asarray, distort(keys, IMAGE, IMAGE))
  for frames in (first, second):
    assert frames.min() >= 0 and frames.max() <= 1
    np.testing.assert_allclose(frames * 255, np.round(frames * 255), atol=1e-3)
  apart = np.abs(first.mean(axis=(1, 2, 3)) - second.mean(axis=(1, 2, 3)))
  together = np.abs(first.mean(axis=(1, 2, 3)) - IMAGE.mean())
  assert 0.001 < apart.mean() < 0.5 * together.mean()
  assert len(np.unique(first.mean(axis=(1, 2, 3)))) == len(keys)
