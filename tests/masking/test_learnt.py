"""When a correction goes on from what was learnt before, and when it starts anew."""

import numpy as np
import pytest

from dipvid_jax.masking.propagation.learnt import Learnt


def labels(*columns, value=1):
  image = np.zeros((4, 8), np.int32)
  image[:, list(columns)] = value
  return image


EMPTY = labels()
LEARNT = Learnt((), 2, {3: labels(1, 2, 3), 5: EMPTY}, {7: labels(1)}, 0)
SAME = {3: labels(1, 2, 3), 5: EMPTY}


@pytest.mark.parametrize(
  ("known", "is_base"),
  [
    (SAME, True),
    (SAME | {9: labels(6)}, True),
    (SAME | {3: labels(1, 2, 4)}, True),  # retouched: half is as it was
    (SAME | {3: labels(1, 4, 5)}, False),
    (SAME | {3: labels(1, 2, 3, value=2)}, False),
    (SAME | {3: EMPTY}, False),
    (SAME | {5: labels(1)}, False),
    ({3: SAME[3]}, False),
    ({}, False),
  ],
)
def test_it_is_continued_where_painted_frames_say_the_same_and_more(known, is_base):
  assert LEARNT.is_base_of(known, objects=2) is is_base
  assert not LEARNT.is_base_of(known, objects=1)


def test_nothing_is_new_only_where_all_is_equal():
  assert LEARNT.is_of(SAME, {7: labels(1)})
  assert not LEARNT.is_of(SAME | {3: labels(1, 2)}, {7: labels(1)})
  assert not LEARNT.is_of(SAME | {9: EMPTY}, {7: labels(1)})
  assert not LEARNT.is_of(SAME, {})
