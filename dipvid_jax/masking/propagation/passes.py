"""From the painted frames outward, frame by frame, in both directions of time."""

from collections.abc import Callable, Mapping
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


def propagate(
  looks: Looks,
  known: Mapping[int, np.ndarray],
  predict: Predict,
  *,
  objects: int,
  onward: bool,
  said: Mapping[int, np.ndarray],
  on_progress: Callable[[int], None],
) -> Passed:
  """Goes through the clip once.

  Args:
    looks: of the clip.
    known: `[h, w]` int32 labels of the painted frames.
    predict: from `make_predict`.
    objects: K.
    onward: from the first painted frame to the end, or from the last to the start.
    said: `[h, w]` int32 labels of frames with strokes, -1 where nothing is said.
    on_progress: called with 1 for each frame that is reached.

  Returns:
    The frames that it comes to, painted ones left out.
  """
  count = len(looks.frames)
  step = 1 if onward else -1
  start = min(known) if onward else max(known)
  passed = Passed({}, {})
  before, away = _sure(known[start], objects), 0
  for number in range(start + step, count if onward else -1, step):
    if number in known:
      before, away = _sure(known[number], objects), 0
      continue
    flow = looks.to_previous[number - 1] if onward else looks.to_next[number]
    expected = _carry(before, flow.astype(np.float32))
    features = [layer[number] for layer in looks.features]
    chances = predict(features, looks.frames[number], _prior(expected))
    chances = chances + _gate(expected)
    if number in said:
      chances = _as_said(chances, said[number])
    chances -= np.logaddexp.reduce(chances, axis=-1, keepdims=True)
    before, away = np.exp(chances), away + 1
    passed.chances[number] = chances.astype(np.float16)
    passed.distance[number] = away
    on_progress(1)
  return passed


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


def join(passes: list[Passed], number: int) -> np.ndarray:
  """Log-probabilities of a frame from both directions, the nearer one counting more."""
  found = [passed for passed in passes if number in passed.chances]
  shares = np.array([1 / passed.distance[number] for passed in found])
  shares /= shares.sum()
  mixed = sum(
    share * np.exp(passed.chances[number].astype(np.float32))
    for share, passed in zip(shares, found, strict=True)
  )
  return np.asarray(np.log(np.maximum(mixed, 1e-6)))
