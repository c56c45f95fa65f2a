"""Stored flow is reused while nothing changed, and never half written or trusted."""

import json

import numpy as np
import pytest

from flow import estimate_video_flow, store, stored_video_flow
from tests.support.synthetic import IndexEstimator, indexed_frames

STRIDES = (1, 3)
FRAMES = indexed_frames(6)


@pytest.fixture
def folder(tmp_path):
  """A folder that holds the flow of FRAMES, beside nothing else."""
  folder = tmp_path / "run" / "flow"
  stored_video_flow(folder, FRAMES, strides=STRIDES, estimator=IndexEstimator())
  return folder


def load(folder, frames=FRAMES, strides=STRIDES, **identity):
  """The stored flow, and how often the estimator was called for it."""
  estimator = IndexEstimator(**identity)
  result = stored_video_flow(folder, frames, strides=strides, estimator=estimator)
  return result, estimator.calls


def assert_same_flow(actual, frames=FRAMES, strides=STRIDES):
  expected = estimate_video_flow(frames, strides=strides, estimator=IndexEstimator())
  assert len(actual) == len(expected)
  for pairs, others in zip(actual, expected, strict=True):
    for name, array in vars(others).items():
      np.testing.assert_array_equal(getattr(pairs, name), array, err_msg=name)
      assert np.asarray(getattr(pairs, name)).dtype == np.asarray(array).dtype


def test_is_reused_when_nothing_changed(folder):
  result, calls = load(folder)
  assert calls == 0
  assert_same_flow(result)


def test_reuse_reports_all_flows_as_progress(folder):
  done = []
  stored_video_flow(
    folder,
    FRAMES,
    strides=STRIDES,
    estimator=IndexEstimator(),
    on_progress=done.append,
  )
  assert sum(done) == 2 * (5 + 3)


def test_equal_frames_of_another_type_are_the_same_clip(folder):
  assert load(folder, FRAMES.astype(np.float64))[1] == 0


def test_says_what_it_was_made_from(folder):
  made_from = json.loads((folder / "made_from.json").read_text())
  assert made_from["estimator"] == "names the frames"
  assert made_from["frames"] == [6, 2, 3, 3]
  assert made_from["strides"] == [1, 3]


def one_pixel_changed():
  frames = FRAMES.copy()
  frames[4, 1, 2, 0] += 0.01
  return frames


@pytest.mark.parametrize(
  "change",
  [
    {"frames": one_pixel_changed()},
    {"frames": FRAMES[:-1]},
    {"frames": FRAMES.reshape(6, 3, 2, 3)},  # the same bytes at another size
    {"strides": (1,)},
    {"strides": (1, 2)},
    {"strides": (3, 1)},
    {"identity": "another estimator"},
  ],
  ids=["pixel", "count", "size", "fewer strides", "strides", "order", "estimator"],
)
def test_is_estimated_anew_when_something_changed(folder, change):
  result, calls = load(folder, **change)
  assert calls > 0
  same = {key: change[key] for key in ("frames", "strides") if key in change}
  assert_same_flow(result, **same)
  assert load(folder, **change)[1] == 0  # and stored in the old one's place


def cut(path):
  path.write_bytes(path.read_bytes()[:-8])


def empty(path):
  path.write_bytes(b"")


def overwrite(path):
  path.write_bytes(b"PK\x03\x04 not an array")


def reshape(path):
  np.save(path, np.load(path)[:-1])


def retype(path):
  np.save(path, np.load(path).astype(np.float16))


def break_header(path):
  content = bytearray(path.read_bytes())
  content[10:30] = b"(" * 20
  path.write_bytes(bytes(content))


def pickle_objects(path):
  np.save(path, np.array([{}], dtype=object), allow_pickle=True)


def flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[-3] ^= 1
  path.write_bytes(content)


DAMAGES = [
  flip_a_bit,
  cut,
  empty,
  overwrite,
  reshape,
  retype,
  break_header,
  pickle_objects,
]


@pytest.mark.parametrize("array", ["stride_1_forward", "stride_3_backward_visible"])
@pytest.mark.parametrize("damage", [*DAMAGES, lambda path: path.unlink()])
def test_a_damaged_array_is_estimated_anew(folder, array, damage):
  damage(folder / f"{array}.npy")
  result, calls = load(folder)
  assert calls > 0
  assert_same_flow(result)
  assert load(folder)[1] == 0


@pytest.mark.parametrize("name", ["made_from.json", "checksums.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff\xfe", None])
def test_without_a_readable_description_nothing_is_trusted(folder, name, content):
  path = folder / name
  if content is None:
    path.unlink()
  else:
    path.write_bytes(content)
  result, calls = load(folder)
  assert calls > 0
  assert_same_flow(result)


class StoppedError(Exception):
  pass


class StopsOnTheWay(IndexEstimator):
  def __call__(self, first, second):
    if self.calls == 2:
      raise StoppedError
    return super().__call__(first, second)


def test_an_interrupted_estimation_leaves_nothing(tmp_path):
  with pytest.raises(StoppedError):
    stored_video_flow(
      tmp_path / "flow", FRAMES, strides=STRIDES, estimator=StopsOnTheWay()
    )
  assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_flow_whole(folder, monkeypatch):
  write, written = store._write, []

  def stop_at_the_third(path, array):
    if len(written) == 2:
      raise StoppedError
    written.append(path)
    write(path, array)

  monkeypatch.setattr(store, "_write", stop_at_the_third)
  with pytest.raises(StoppedError):
    load(folder, FRAMES[:-1])
  assert list(folder.parent.iterdir()) == [folder]
  assert load(folder)[1] == 0


def test_other_files_in_the_folder_stay_and_the_older_flow_goes(folder):
  mine = {"mine.flo", "stride_3.npy"}
  for name in mine:
    (folder / name).write_text("mine")
  older = {path.name for path in store.stored_files(folder, STRIDES)}
  assert {path.name for path in folder.iterdir()} == older | mine
  load(folder, strides=(2,))
  newer = {path.name for path in store.stored_files(folder, (2,))}
  assert {path.name for path in folder.iterdir()} == newer | mine
  assert (folder / "mine.flo").read_text() == "mine"


def test_an_interrupted_move_leaves_no_flow_that_is_trusted(folder, monkeypatch):
  move, left = store.shutil.move, [3]

  def stop_at_the_fourth(path, target):
    left[0] -= 1
    if left[0] < 0:
      raise StoppedError
    return move(path, target)

  with monkeypatch.context() as patch, pytest.raises(StoppedError):
    patch.setattr(store.shutil, "move", stop_at_the_fourth)
    load(folder, FRAMES[:-1])
  for frames in (FRAMES, FRAMES[:-1]):
    result, calls = load(folder, frames)
    assert calls
    assert_same_flow(result, frames)


@pytest.mark.parametrize("kind", [np.float32, np.bool_])
def test_arrays_are_written_as_numpy_does(tmp_path, kind):
  array = (np.arange(24).reshape(2, 3, 4) % 5 > 1).astype(kind)
  for written in (array, array.T, array[:, ::2]):
    store._write(tmp_path / "a.npy", written)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), written)


@pytest.mark.parametrize("killed_at", [None, 0, 3, 8, 9])
def test_whole_flow_moves_and_an_interrupted_move_is_completed(
  folder, tmp_path, monkeypatch, killed_at
):
  """Flow of other strides was there before, of which nothing stays."""
  target = tmp_path / "deep" / "flow"
  stored_video_flow(target, FRAMES, strides=(2, 3), estimator=IndexEstimator())
  left = {path.name: path.read_bytes() for path in folder.iterdir()}
  real, calls = store.shutil.move, []

  def move(*args):
    calls.append(args)
    if len(calls) - 1 == killed_at:
      raise KeyboardInterrupt
    real(*args)

  monkeypatch.setattr(store.shutil, "move", move)
  if killed_at is not None:
    with pytest.raises(KeyboardInterrupt):
      store.move_stored_flow(folder, target, strides=STRIDES)
    assert not (target / "made_from.json").exists()  # half of it does not count
  for _ in range(2):  # nothing is left to be moved the second time
    store.move_stored_flow(folder, target, strides=STRIDES)
  assert {path.name: path.read_bytes() for path in target.iterdir()} == left
  result, calls = load(target)
  assert calls == 0
  assert_same_flow(result)
