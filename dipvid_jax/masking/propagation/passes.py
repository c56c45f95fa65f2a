"""From the painted frames outward, frame by frame, in both directions of time."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.masking.propagation.looks import Looks

_REACH = 0.05  # of the diagonal: how far from where it is expected an object is found
_LEAST_GATE = 0.02
_EXPECTED = 0.3
_SOFT = 1.0  # pixels of blur of what neighbours say

Predict = Callable[..., np.ndarray]


class Passed(NamedTuple):
  """What one direction says.

  Attributes:
    chances: by frame: `[h, w, K + 1]` float16 log-probabilities.
    distance: by frame: from the painted frame that it comes from.
  """

  chances: dict[int, np.ndarray]
  distance: dict[int, int]


def pass_both_ways(
  looks: Looks,
  known: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  predict: Predict,
  *,
  objects: int,
) -> list[Passed]:
  """Goes through the clip onward and back.

  Args:
    looks: of the clip.
    known: `[h, w]` int32 labels of the painted frames.
    said: `[h, w]` int32 labels of frames with strokes, -1 where nothing is said. The
      first of them is where to begin if no frame is painted.
    predict: from `make_predict`.
    objects: K.

  Returns:
    What each direction says, and the frame to begin with if it is not a painted one.
  """
  starts = {t: _sure(labels, objects) for t, labels in known.items()}
  passes = []
  if not starts:
    number = min(said)
    nothing = np.zeros((*said[number].shape, objects + 1), np.float32)
    chances = _as_said(_predict(predict, looks, number, nothing), said[number])
    chances -= np.logaddexp.reduce(chances, axis=-1, keepdims=True)
    starts[number] = np.exp(chances)
    passes.append(Passed({number: chances.astype(np.float16)}, {number: 1}))
  return passes + [
    _pass(looks, starts, said, predict, onward=onward) for onward in (True, False)
  ]


def _pass(
  looks: Looks,
  starts: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  predict: Predict,
  *,
  onward: bool,
) -> Passed:
  """From the first start to the end, or from the last one to the beginning."""
  step = 1 if onward else -1
  begin = min(starts) if onward else max(starts)
  passed = Passed({}, {})
  before, away = starts[begin], 0
  for number in range(begin + step, len(looks.frames) if onward else -1, step):
    if number in starts:
      before, away = starts[number], 0
      continue
    flow = looks.to_previous[number - 1] if onward else looks.to_next[number]
    expected = _carry(before, flow.astype(np.float32))
    chances = _predict(predict, looks, number, _prior(expected)) + _gate(expected)
    if number in said:
      chances = _as_said(chances, said[number])
    chances -= np.logaddexp.reduce(chances, axis=-1, keepdims=True)
    before, away = np.exp(chances), away + 1
    passed.chances[number] = chances.astype(np.float16)
    passed.distance[number] = away
  return passed


def _predict(
  predict: Predict, looks: Looks, number: int, prior: np.ndarray
) -> np.ndarray:
  features = [layer[number] for layer in looks.features]
  return predict(features, looks.frames[number], prior)


def _sure(labels: np.ndarray, objects: int) -> np.ndarray:
  return np.eye(objects + 1, dtype=np.float32)[labels]


def _carry(before: np.ndarray, flow: np.ndarray) -> np.ndarray:
  """What the neighbouring frame says of this one, `[h, w, K]`."""
  height, width = flow.shape[:2]
  y, x = np.mgrid[:height, :width].astype(np.float32)
  places = x + flow[..., 0], y + flow[..., 1]
  carried = [
    cv2.remap(np.ascontiguousarray(layer), *places, cv2.INTER_LINEAR)
    for layer in np.moveaxis(before[..., 1:], -1, 0)
  ]
  return np.stack([cv2.GaussianBlur(layer, (0, 0), _SOFT) for layer in carried], -1)


def _prior(expected: np.ndarray) -> np.ndarray:
  known = np.ones((*expected.shape[:2], 1), np.float32)
  if not (expected > _EXPECTED).any():
    expected, known = np.zeros_like(expected), 0 * known
  return np.concatenate([expected, known], -1)


def _gate(expected: np.ndarray) -> np.ndarray:
  """Log of how likely each object is to be at each place, `[h, w, K + 1]`."""
  reach = _REACH * np.hypot(*expected.shape[:2])
  gates = [np.zeros(expected.shape[:2], np.float32)]
  for layer in np.moveaxis(expected, -1, 0):
    there = layer > _EXPECTED
    if not there.any():
      gates.append(gates[0])
      continue
    away = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, 3)
    near = np.maximum(away - reach / 2, 0) / reach
    gates.append(np.maximum(-near, np.log(_LEAST_GATE)))
  return np.stack(gates, -1)


def _as_said(chances: np.ndarray, labels: np.ndarray) -> np.ndarray:
  told = labels >= 0
  sure = np.full(chances.shape, -20.0, np.float32)
  np.put_along_axis(sure, np.maximum(labels, 0)[..., None], 0.0, axis=-1)
  return np.where(told[..., None], sure, chances)


def join(passes: Sequence[Passed], number: int) -> np.ndarray:
  """Log-probabilities of a frame from both directions, the nearer one counting more."""
  found = [passed for passed in passes if number in passed.chances]
  shares = np.array([1 / passed.distance[number] for passed in found])
  shares /= shares.sum()
  mixed = sum(
    share * np.exp(passed.chances[number].astype(np.float32))
    for share, passed in zip(shares, found, strict=True)
  )
  return np.asarray(np.log(np.maximum(mixed, 1e-6)))
