"""Images become one array as they arrive; a large one lies in a file."""

import tempfile

import numpy as np
import pytest

from dipvid_jax.media import stacking
from dipvid_jax.media.stacking import stack

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 5, 7, 3), np.uint8)
_OF_FOUR = 4 * IMAGES[0].size


@pytest.fixture(params=["in memory", "in a file"])
def place(request, monkeypatch):
  if request.param == "in a file":
    monkeypatch.setattr(stacking, "_MOST_IN_MEMORY", _OF_FOUR)
  return request.param


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_array_holds_the_images(place, dtype):
  images = IMAGES.astype(dtype)
  stacked = stack(iter(images))
  np.testing.assert_array_equal(stacked, images)
  assert stacked.dtype == dtype and stacked.flags.c_contiguous


def test_the_array_can_be_written_to(place):
  stacked = stack(iter(IMAGES))
  stacked[2] = 0
  np.testing.assert_array_equal(stacked[2], 0)
  np.testing.assert_array_equal(stacked[3], IMAGES[3])


def test_views_that_are_not_contiguous_are_copied(place):
  turned = IMAGES.swapaxes(1, 2)[:, ::-1]
  np.testing.assert_array_equal(stack(iter(turned)), turned)


def test_no_file_is_left_behind(place, monkeypatch, tmp_path):
  monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
  stacked = stack(iter(IMAGES))
  assert not list(tmp_path.iterdir()) and stacked.any()


@pytest.mark.parametrize("room", [0, _OF_FOUR, 6 * IMAGES[0].size + 3])
def test_a_full_disk_leaves_the_array_in_memory(monkeypatch, room):
  monkeypatch.setattr(stacking, "_MOST_IN_MEMORY", _OF_FOUR)
  temporary = tempfile.TemporaryFile
  written = 0

  class Small:
    def __init__(self, **options):
      self.file = temporary(**options)

    def write(self, data):
      nonlocal written
      count = min(room - written, len(data))
      if not count:
        raise OSError(28, "No space left on device")
      written += count
      return self.file.write(data[:count])

    def __getattr__(self, name):
      return getattr(self.file, name)

  monkeypatch.setattr(tempfile, "TemporaryFile", Small)
  np.testing.assert_array_equal(stack(iter(IMAGES)), IMAGES)
  assert written == room


@pytest.mark.parametrize("images", [[], [IMAGES[0], IMAGES[1, :1]]])
def test_no_images_or_mixed_shapes_are_refused(images):
  with pytest.raises(ValueError, match="images"):
    stack(images)
