"""Masks from painted frames, scene by scene, and what the next call need not redo."""

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.looks_files import read_looks, write_looks
from dipvid_jax.masking.painting import painting_work, propagate_scenes
from tests.support.no_looks import no_looks

_SCENES = (slice(2, 6), slice(6, 7), slice(7, 9))
_SIZE = (24, 40)


def square(number, value):
  labels = np.zeros(_SIZE, np.uint8)
  labels[6:16, 3 * number : 10 + 3 * number] = value
  return labels


@pytest.fixture(scope="module")
def frames():
  rng = np.random.default_rng(0)
  texture = rng.integers(60, 200, (*_SIZE, 3), np.uint8)
  shown = [np.where(square(t, 1)[..., None], 250, texture) for t in range(9)]
  return np.stack(shown).astype(np.uint8)


def test_looks_come_back_from_their_file_and_save_the_look(frames, tmp_path):
  painted = {3: square(3, 200), 7: square(7, 0)}
  done = []
  keywords = {"updates": 10, "on_progress": done.append}
  first = propagate_scenes(frames, painted, _SCENES, looks={}, **keywords)
  assert sum(done) == painting_work(painted, _SCENES, {}, updates=10)
  assert (first.labels[3] == painted[3]).all() and first.labels[4].any()
  assert set(np.unique(first.labels)) == {0, 200}
  assert not first.labels[[0, 1, 6, 7, 8]].any() and first.unpainted == (_SCENES[1],)
  assert sorted(first.confidence) == [2, 3, 4, 5, 7, 8]
  assert first.next_to_paint in (2, 4, 5)

  (kept,) = first.looks.values()
  write_looks(tmp_path / "00002.npz", kept.looks, frames[kept.scene])
  read = read_looks(tmp_path / "00002.npz", frames[kept.scene])
  done.clear()
  again = propagate_scenes(frames, painted, _SCENES, looks={2: read}, **keywords)
  assert (again.labels == first.labels).all()
  assert sum(done) == painting_work(painted, _SCENES, {2: read}, updates=10)
  assert sum(done) < painting_work(painted, _SCENES, {}, updates=10)


def test_looks_of_other_frames_or_of_a_damaged_file_are_not_taken(frames, tmp_path):
  path = tmp_path / "00000.npz"
  assert read_looks(path, frames) is None
  write_looks(path, no_looks(frames), frames)
  assert read_looks(path, frames) is not None
  assert read_looks(path, frames[:-1]) is None
  assert read_looks(path, frames[::-1]) is None
  path.write_bytes(path.read_bytes()[:-200])
  assert read_looks(path, frames) is None


def test_nothing_painted_is_an_error(frames):
  with pytest.raises(InputError, match="no painted frame shows an object"):
    propagate_scenes(frames, {3: square(3, 0)}, _SCENES, looks={})
