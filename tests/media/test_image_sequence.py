"""Frames are read from files on access."""

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.media.images import write_images

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), np.uint8)


def test_frames_are_read_in_order(tmp_path):
  write_images(tmp_path, FRAMES)
  sequence = ImageSequence(tmp_path, 5)
  assert len(sequence) == 5
  np.testing.assert_array_equal(list(sequence), FRAMES)
  np.testing.assert_array_equal(sequence[3], FRAMES[3])


def test_odd_sides_are_made_even_by_repeating(tmp_path):
  write_images(tmp_path, FRAMES)
  expected = np.pad(FRAMES, [(0, 0), (0, 1), (0, 1), (0, 0)], mode="edge")
  np.testing.assert_array_equal(list(ImageSequence(tmp_path, 5, even=True)), expected)


def test_a_frame_is_read_only_on_access(tmp_path):
  write_images(tmp_path, FRAMES)
  (tmp_path / "00003.png").write_bytes(b"")
  sequence = ImageSequence(tmp_path, 5)
  np.testing.assert_array_equal(sequence[2], FRAMES[2])
  with pytest.raises(InputError, match=r"00003\.png"):
    sequence[3]
