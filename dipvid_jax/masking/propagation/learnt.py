"""What one call has learnt of the objects, which the next one goes on from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

_LEAST_ALIKE = 0.5  # of an object's pixels, before and now

Params = Any


class Learnt(NamedTuple):
  """What objects look like.

  Attributes:
    heads: parameters of the networks whose mean tells object from background.
    objects: K.
    known: `[h, w]` integer labels of the painted frames that were learnt from.
    said: `[h, w]` integer labels of frames with strokes, -1 where nothing was said.
    calls: in how many it has been continued.
  """

  heads: tuple[Params, ...]
  objects: int
  known: Mapping[int, np.ndarray]
  said: Mapping[int, np.ndarray]
  calls: int

  def is_base_of(self, known: Mapping[int, np.ndarray], *, objects: int) -> bool:
    """Whether painted frames say the same and more, so that it can be continued.

    Args:
      known: `[h, w]` integer labels of the frames that are painted now.
      objects: K.
    """
    return self.objects == objects and all(
      number in known and _are_alike(labels, known[number])
      for number, labels in self.known.items()
    )

  def is_of(
    self, known: Mapping[int, np.ndarray], said: Mapping[int, np.ndarray]
  ) -> bool:
    """Whether it was learnt from just these frames."""
    return _are_equal(self.known, known) and _are_equal(self.said, said)


def _are_alike(before: np.ndarray, now: np.ndarray) -> bool:
  shown = (before > 0) | (now > 0)
  return not shown.any() or (before == now)[shown].mean() >= _LEAST_ALIKE


def _are_equal(one: Mapping[int, np.ndarray], other: Mapping[int, np.ndarray]) -> bool:
  return one.keys() == other.keys() and all(
    np.array_equal(labels, other[number]) for number, labels in one.items()
  )
