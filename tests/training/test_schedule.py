"""Which batch when: the authors' rounds, the paper's epochs, and the exact end."""

import collections

import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.training.schedule import (
  BACKWARD,
  FORWARD,
  Visit,
  make_frame_schedule,
  make_schedule,
  usable_strides,
  visits_left,
)

STRIDES = (1, 3, 5)


def schedule(frame_count, **settings):
  return make_schedule(frame_count, strides=STRIDES, **settings)


def triple(visit):
  return visit[:3]


def all_triples(frame_count, strides=STRIDES, batch_size=5):
  """Every (start, stride index, direction), as the method defines them."""
  return {
    (start, index, direction)
    for index, t in enumerate(strides)
    for start in range(frame_count - (batch_size - 1) * t)
    for direction in (FORWARD, BACKWARD)
  }


@pytest.fixture(scope="module")
def visits():
  return schedule(80)


def test_80_frames_get_102_000_updates_in_1_020_visits(visits):
  assert len(visits) == 1_020
  assert {visit.updates for visit in visits} == {100}
  assert sum(visit.updates for visit in visits) == 102_000


def test_a_round_is_50_batches_and_the_median_batch(visits):
  assert [visit.round for visit in visits] == [i // 51 for i in range(1_020)]
  assert [i for i, visit in enumerate(visits) if visit.ends_round] == list(
    range(50, 1_020, 51)
  )
  assert {triple(visit) for visit in visits if visit.ends_round} == {(40, 0, FORWARD)}


@pytest.mark.parametrize(
  ("frame_count", "start"),
  [(80, 40), (21, 10), (10, 5), (9, 4), (8, 3), (6, 1), (5, 0)],
)
def test_the_median_batch_starts_in_the_middle_but_fits(frame_count, start):
  assert start == min(frame_count // 2, frame_count - 5)
  visits = make_schedule(frame_count, strides=(1,), rounds=1, batches_per_round=1)
  assert triple(visits[-1]) == (start, 0, FORWARD)
  assert visits[-1].ends_round and len(visits) == 2


@pytest.mark.parametrize("frame_count", [21, 40])
def test_every_batch_comes_once_before_any_comes_again(frame_count):
  drawn = [triple(v) for v in schedule(frame_count) if not v.ends_round]
  assert len(drawn) == 1_000
  expected = all_triples(frame_count)
  for first in range(0, 1_000 - len(expected), len(expected)):
    assert set(drawn[first : first + len(expected)]) == expected
  counts = collections.Counter(drawn)
  assert max(counts.values()) - min(counts.values()) <= 1


def test_batches_stay_inside_the_clip(visits):
  for visit in visits:
    last = visit.start + 4 * STRIDES[visit.stride_index]
    assert visit.start >= 0 and last <= 79
  ends = {v.start + 4 * STRIDES[v.stride_index] for v in visits}
  assert max(ends) == 79 and min(v.start for v in visits) == 0


def test_every_pass_over_the_batches_has_its_own_order():
  drawn = [triple(v) for v in schedule(21) if not v.ends_round]
  count = len(all_triples(21))
  passes = [drawn[i * count : (i + 1) * count] for i in range(1_000 // count)]
  assert len({tuple(order) for order in passes}) == len(passes)
  assert all(order != sorted(order) for order in passes)


def test_the_order_depends_on_the_seed():
  assert schedule(40, seed=3) == schedule(40, seed=3)
  assert schedule(40, seed=3) != schedule(40, seed=4)
  assert schedule(40) == schedule(40, seed=0)


def test_epochs_are_the_papers_816_000_updates_for_80_frames():
  visits = schedule(80, schedule="epochs")
  assert sum(visit.updates for visit in visits) == 816_000
  ends = [i + 1 for i, visit in enumerate(visits) if visit.ends_round]
  assert ends == [408 * (epoch + 1) for epoch in range(20)]
  expected = all_triples(80)
  assert len(expected) == 408
  for epoch in range(20):
    epoch_visits = visits[epoch * 408 : (epoch + 1) * 408]
    assert {triple(visit) for visit in epoch_visits} == expected
    assert {visit.round for visit in epoch_visits} == {epoch}


def test_shuffled_is_the_same_order_without_the_median_batch(visits):
  shuffled = schedule(80, schedule="shuffled")
  drawn = [triple(visit) for visit in visits if not visit.ends_round]
  assert [triple(visit) for visit in shuffled] == drawn
  assert [i for i, visit in enumerate(shuffled) if visit.ends_round] == list(
    range(49, 1_000, 50)
  )


@pytest.mark.parametrize("max_updates", [1, 99, 100, 101, 5_099, 5_100, 5_101, 101_999])
def test_max_updates_cuts_exactly_there(visits, max_updates):
  cut = schedule(80, max_updates=max_updates)
  assert sum(visit.updates for visit in cut) == max_updates
  assert cut[-1].ends_round
  whole = visits[: len(cut)]
  assert [triple(v) for v in cut] == [triple(v) for v in whole]
  assert cut[:-1] == whole[:-1]


@pytest.mark.parametrize("max_updates", [102_000, 102_001, 10**9, None])
def test_max_updates_beyond_the_end_changes_nothing(visits, max_updates):
  assert schedule(80, max_updates=max_updates) == visits


def test_settings_determine_rounds_batches_and_updates():
  visits = make_schedule(
    9, strides=(1, 2), batch_size=3, rounds=2, batches_per_round=4, inner_steps=7
  )
  assert [visit.round for visit in visits] == [0] * 5 + [1] * 5
  assert {visit.updates for visit in visits} == {7}
  assert {triple(visit) for visit in visits} <= all_triples(9, (1, 2), 3)
  assert triple(visits[4]) == triple(visits[9]) == (4, 0, FORWARD)


@pytest.mark.parametrize(
  ("frame_count", "expected"),
  [(80, (1, 3, 5)), (21, (1, 3, 5)), (20, (1, 3)), (13, (1, 3)), (12, (1,)), (4, ())],
)
def test_a_short_clip_drops_strides_without_a_batch(frame_count, expected):
  assert usable_strides(frame_count, strides=STRIDES, batch_size=5) == expected


def test_a_clip_of_exactly_one_batch_visits_it_both_ways():
  visits = make_schedule(5, strides=(1,), schedule="epochs", rounds=1)
  assert {triple(visit) for visit in visits} == {(0, 0, FORWARD), (0, 0, BACKWARD)}


@pytest.mark.parametrize(
  ("settings", "said"),
  [
    ({"schedule": "passes"}, "one of .*rounds.*epochs.* got 'passes'"),
    ({"frame_count": 20}, "20 frames have no batch at some of strides"),
    ({"rounds": 0}, "no updates"),
    ({"max_updates": 0}, "no updates"),
    ({"inner_steps": 0}, "no updates"),
  ],
)
def test_an_impossible_schedule_is_refused(settings, said):
  with pytest.raises(ValueError, match=said):
    schedule(**{"frame_count": 80, **settings})


def test_a_visit_ends_no_round_unless_it_says_so():
  assert not Visit(0, 0, FORWARD, 100, 0).ends_round


def test_dip_vid_visits_every_batch_each_epoch_and_the_middle_one_last():
  visits = make_schedule(80, strides=(1,), schedule="middle_last")
  assert sum(visit.updates for visit in visits) == 20 * 76 * 100
  orders = set()
  for r in range(20):
    epoch = [visit for visit in visits if visit.round == r]
    assert sorted(visit.start for visit in epoch) == list(range(76))
    assert {visit.direction for visit in epoch} == {FORWARD}
    assert [visit.ends_round for visit in epoch] == [False] * 75 + [True]
    assert epoch[-1].start == 40
    orders.add(tuple(visit.start for visit in epoch))
  assert len(orders) == 20


def test_a_clip_of_one_batch_has_only_the_middle_one():
  visits = make_schedule(5, strides=(1,), schedule="middle_last", rounds=2)
  assert [visit.start for visit in visits] == [0, 0]
  assert all(visit.ends_round for visit in visits)


def test_dip_gives_each_frame_its_updates():
  visits = make_frame_schedule(3, updates=250, inner_steps=100)
  assert [visit.start for visit in visits] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
  assert [visit.updates for visit in visits] == [100, 100, 50] * 3
  assert [visit.round for visit in visits] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
  assert [visit.ends_round for visit in visits] == [False, False, True] * 3


@pytest.mark.parametrize(("frame_count", "updates"), [(0, 1), (3, 0)])
def test_dip_without_frames_or_updates_is_refused(frame_count, updates):
  with pytest.raises(ValueError):
    make_frame_schedule(frame_count, updates=updates, inner_steps=1)


def test_the_frames_schedule_is_not_a_schedule_of_batches():
  with pytest.raises(ValueError, match="frames"):
    make_schedule(9, strides=(1,), schedule="frames")


def test_visits_left_after_a_checkpoint():
  visits = [Visit(0, 0, 0, 3, 0), Visit(1, 0, 0, 3, 0), Visit(2, 0, 0, 1, 0)]
  assert visits_left(visits, 0) == visits
  assert visits_left(visits, 3) == visits[1:]
  assert visits_left(visits, 7) == []
  for updates in (1, 5, 8):
    with pytest.raises(InputError, match=f"has {updates} updates"):
      visits_left(visits, updates)
