"""Windows over a long clip: every frame is covered, and the fades add up to one."""

import itertools

import numpy as np
import pytest

from dipvid_jax.runs.windows import fade_weights, join, plan_windows

PLANS = [
  (count, length, overlap)
  for count in (11, 12, 17, 40, 101)
  for length in (4, 5, 10)
  for overlap in (0, 1, 2, 5)
  if 2 * overlap <= length
]


def weights_of(count, windows, overlap):
  """`[windows, T]`, each window's weights at their frames."""
  weights = np.zeros((len(windows), count), np.float32)
  for row, window in zip(weights, windows, strict=True):
    row[window.start : window.stop] = fade_weights(window, overlap=overlap)
  return weights


@pytest.mark.parametrize(("count", "length", "overlap"), PLANS)
def test_windows_are_of_one_length_and_cover_the_clip(count, length, overlap):
  windows = plan_windows(count, length=length, overlap=overlap)
  assert [window.number for window in windows] == list(range(len(windows)))
  assert {window.stop - window.start for window in windows} == {length}
  assert windows[0].start == 0 and windows[-1].stop == count
  done = [(window.first, window.settled) for window in windows]
  assert [first for first, _ in done] == [0, *(settled for _, settled in done[:-1])]
  assert done[-1][1] == count
  for earlier, later in itertools.pairwise(windows[:-1]):
    assert earlier.stop - later.start == overlap
  # No window more than the overlap asks for.
  assert len(windows) == -(-(count - overlap) // (length - overlap))


@pytest.mark.parametrize(("count", "length", "overlap"), PLANS)
def test_the_weights_of_every_frame_add_up_to_one(count, length, overlap):
  windows = plan_windows(count, length=length, overlap=overlap)
  weights = weights_of(count, windows, overlap)
  assert ((weights >= 0) & (weights <= 1)).all()
  np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-6)
  assert ((weights > 0).sum(axis=0) <= 2).all()
  assert ((weights > 0).sum(axis=0) == 2).sum() == overlap * (len(windows) - 1)


def test_the_fade_is_linear():
  first, second = plan_windows(16, length=10, overlap=4)
  assert (second.start, second.first, first.settled) == (6, 6, 6)
  np.testing.assert_allclose(
    fade_weights(second, overlap=4), [0.2, 0.4, 0.6, 0.8, *[1] * 6], rtol=1e-6
  )
  np.testing.assert_allclose(
    fade_weights(first, overlap=4), [*[1] * 6, 0.8, 0.6, 0.4, 0.2], rtol=1e-6
  )


@pytest.mark.parametrize("length", [None, 12, 100])
def test_a_clip_that_fits_is_one_window_with_all_of_its_weight(length):
  (window,) = plan_windows(12, length=length, overlap=3)
  assert window == (0, 0, 12, 0, 12)
  assert (fade_weights(window, overlap=3) == 1).all()


@pytest.mark.parametrize(("length", "overlap"), [(0, 0), (4, 3), (4, -1)])
def test_windows_that_cannot_be_are_refused(length, overlap):
  with pytest.raises(ValueError, match=f"overlap by {overlap}"):
    plan_windows(12, length=length, overlap=overlap)


@pytest.mark.parametrize(("count", "length", "overlap"), PLANS)
def test_joining_is_the_weighted_sum_over_the_whole_clip(count, length, overlap):
  """The oracle holds all windows at once; joining holds one and a tail."""
  generator = np.random.default_rng(count + length + overlap)
  windows = plan_windows(count, length=length, overlap=overlap)
  results = [generator.random((length, 2, 3)).astype(np.float32) for _ in windows]
  expected = np.zeros((count, 2, 3), np.float32)
  joined, tail = [], {}
  for window, result in zip(windows, results, strict=True):
    weights = fade_weights(window, overlap=overlap)
    expected[window.start : window.stop] += weights[:, None, None] * result
    done, tail = join(window, {"full": result}, tail, overlap=overlap)
    assert len(done["full"]) == window.settled - window.first
    assert len(tail["full"]) == (0 if window is windows[-1] else overlap)
    assert tail["full"].base is None  # it does not keep the window in memory
    joined.append(done["full"])
  np.testing.assert_array_equal(np.concatenate(joined), expected)


def test_one_window_comes_out_as_it_went_in():
  (window,) = plan_windows(5, length=None, overlap=2)
  result = np.random.default_rng(0).random((5, 4)).astype(np.float32)
  done, tail = join(window, {"full": result}, {}, overlap=2)
  np.testing.assert_array_equal(done["full"], result)
  assert not len(tail["full"])
