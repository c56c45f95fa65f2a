"""Tracks over all frames, and the gate along them, on detections that are made here."""

import numpy as np
import pytest

from dipvid_jax.masking.propagation.gate import keep_parts, reach
from dipvid_jax.masking.propagation.tracks import expected_shapes, find_tracks
from tests.support.no_looks import no_looks

_T, _H, _W = 12, 96, 160


def disc(row, column, radius=10):
  y, x = np.mgrid[:_H, :_W]
  return np.hypot(y - row, x - column) <= radius


def still_looks():
  looks = no_looks(np.zeros((_T, _H, _W, 3), np.uint8))
  flow = np.zeros((_T - 1, _H, _W, 2), np.float16)
  return looks._replace(
    frames=np.zeros((_T, _H, _W, 3), np.uint8), to_next=flow, to_previous=flow
  )


def detector(objects):
  """Detections from masks by frame and object."""

  def detect(number):
    layers = [mask.astype(np.float32) for mask in objects[number]]
    return np.stack([1 - np.max(layers, 0), *layers], -1)

  return detect


def middles(tracks, number):
  shapes = expected_shapes(tracks, number, size=(_H, _W))
  return [np.argwhere(shape).mean(0) for _, shape in sorted(shapes.items())]


def test_a_hidden_object_is_found_again_and_nothing_like_it_is_followed():
  way = [(40, 20 + 10 * t) for t in range(_T)]
  like_it = disc(70, 60, radius=6)  # beside the way, all the time
  found = []
  for t in range(_T):
    hidden = 4 <= t <= 6
    found.append([like_it | (disc(*way[t]) & (not hidden))])
  painted = {0: disc(*way[0]).astype(np.int32)}
  tracks = find_tracks(still_looks(), detector(found), painted, {}, objects=1)
  assert len(tracks) == 1
  for t in range(_T):
    off = np.hypot(*(middles(tracks, t)[0] - way[t]))
    assert 4 <= t <= 6 or off <= 9, (t, off)  # cells have 8 pixels


def test_pieces_of_one_mask_may_part():
  left = [(50, 60 - 5 * t) for t in range(_T)]
  right = [(50, 100 + 5 * t) for t in range(_T)]
  found = [[disc(*left[t]) | disc(*right[t])] for t in range(_T)]
  painted = {5: found[5][0].astype(np.int32)}
  tracks = find_tracks(still_looks(), detector(found), painted, {}, objects=1)
  assert len(tracks) == 2
  for t in range(_T):
    shape = expected_shapes(tracks, t, size=(_H, _W))[1]
    assert (shape & found[t][0]).sum() > 0.6 * found[t][0].sum()
    assert not shape[:, 75:85].any() or t == 5


def test_a_track_ends_at_the_next_painted_frame_and_heeds_strokes():
  way = [(40, 20 + 10 * t) for t in range(_T)]
  found = [[disc(*way[t]), disc(80, 30)] for t in range(_T)]
  painted = {
    t: np.where(disc(*way[t]), 1, 2 * disc(80, 30)).astype(np.int32) for t in (2, 9)
  }
  for t in (5, 6):
    found[t] = [disc(10, 10) & False, disc(80, 30)]  # object 1 is not detected
  strokes = np.where(disc(20, 70, radius=2), 1, -1)
  tracks = find_tracks(still_looks(), detector(found), painted, {5: strokes}, objects=2)
  spans = {(t.object, t.painted): (min(t.centres), max(t.centres)) for t in tracks}
  assert spans == {(1, 2): (0, 9), (2, 2): (0, 9), (1, 9): (2, 11), (2, 9): (2, 11)}
  moved, still = middles(tracks, 7)
  assert np.hypot(*(moved - way[7])) < 9 and np.hypot(*(still - (80, 30))) < 6
  assert np.hypot(*(middles(tracks, 5)[0] - (20, 70))) < 20


def test_nothing_painted_is_expected_nowhere():
  painted = {3: np.zeros((_H, _W), np.int32)}
  found = [[disc(40, 40)] for _ in range(_T)]
  tracks = find_tracks(still_looks(), detector(found), painted, {}, objects=1)
  assert not tracks and not expected_shapes(tracks, 5, size=(_H, _W))
  assert not reach(np.zeros((_H, _W), bool)).any()


def test_a_track_goes_on_through_a_frame_painted_without_the_object():
  way = [(40, 20 + 10 * t) for t in range(_T)]
  found = [[disc(*way[t]) & (not 4 <= t <= 6)] for t in range(_T)]
  painted = {1: found[1][0].astype(np.int32), 5: np.zeros((_H, _W), np.int32)}
  [track] = find_tracks(still_looks(), detector(found), painted, {}, objects=1)
  assert max(track.centres) == _T - 1
  assert np.hypot(*(middles([track], 9)[0] - way[9])) < 9


@pytest.mark.parametrize("touching", [True, False])
def test_parts_stay_that_touch_what_was_there(touching):
  shape = disc(40, 40)
  carried = disc(40, 62, radius=8).astype(np.float32)
  apart = disc(40, 75 if touching else 90, radius=6)
  chances = np.where(shape | apart, 0.9, 0.1).astype(np.float32)
  kept = keep_parts(chances, shape, carried)
  np.testing.assert_array_equal(kept[shape], chances[shape])
  assert (kept[apart] == (np.float32(0.9) if touching else 0)).all()
  assert (kept[~(shape | apart)] == np.float32(0.1)).all()


def test_reach_falls_with_the_distance():
  near = reach(disc(48, 80))
  assert (near[disc(48, 80)] == 1).all()
  assert near[48, 80 + 13] == 1 and near[48, 80 + 30] == 0
  row = near[48, 90:]
  assert (np.diff(row) <= 0).all()
