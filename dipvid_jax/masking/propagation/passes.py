"""From the painted frames outward, frame by frame, in both directions of time."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.masking.propagation.gate import keep_parts, reach
from dipvid_jax.masking.propagation.looks import Looks
from dipvid_jax.masking.propagation.tracks import (
  Track,
  expected_shapes,
  find_tracks,
  one_hot,
)

_EXPECTED = 0.3
_SOFT = 1.0  # pixels of blur of what neighbours say

Predict = Callable[..., np.ndarray]


class Passed(NamedTuple):
  """What one direction says.

  Attributes:
    chances: by frame: `[h, w, K + 1]` float16 probabilities.
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
  detect = detector(looks, predict, objects=objects)
  starts = {t: one_hot(labels, objects) for t, labels in known.items()}
  painted, passes = known, []
  if not starts:
    number = min(said)
    start = _as_said(detect(number), said[number])
    starts, painted = {number: start}, {number: start.argmax(-1)}
    passes.append(Passed({number: start.astype(np.float16)}, {number: 1}))
  tracks = find_tracks(looks, detect, painted, said, objects=objects)
  return passes + [
    _pass(looks, starts, said, predict, tracks, onward=onward)
    for onward in (True, False)
  ]


def detector(
  looks: Looks, predict: Predict, *, objects: int
) -> Callable[[int], np.ndarray]:
  """Of a frame's number: probabilities without knowledge of where objects are.

  Args:
    looks: of the clip.
    predict: from `make_predict`.
    objects: K.
  """
  nothing = np.zeros((*looks.frames.shape[1:3], objects + 1), np.float32)

  def detect(number: int) -> np.ndarray:
    return _predict(predict, looks, number, nothing)

  return detect


def _pass(
  looks: Looks,
  starts: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  predict: Predict,
  tracks: Sequence[Track],
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
    carried = _carry(before, flow.astype(np.float32))
    shapes = expected_shapes(tracks, number, size=flow.shape[:2])
    near = {k: reach(shape) for k, shape in shapes.items()}
    for k in near:
      carried[..., k - 1] *= near[k]
    chances = np.array(_predict(predict, looks, number, _prior(carried)))
    for k, shape in shapes.items():
      kept = chances[..., k] * near[k]
      chances[..., k] = keep_parts(kept, shape, carried[..., k - 1])
    chances[..., 0] = 1 - chances[..., 1:].sum(-1)
    if number in said:
      chances = _as_said(chances, said[number])
    before, away = chances, away + 1
    passed.chances[number] = chances.astype(np.float16)
    passed.distance[number] = away
  return passed


def _predict(
  predict: Predict, looks: Looks, number: int, prior: np.ndarray
) -> np.ndarray:
  features = [layer[number] for layer in looks.features]
  return predict(features, looks.frames[number], prior)


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


def _as_said(chances: np.ndarray, labels: np.ndarray) -> np.ndarray:
  told = labels >= 0
  return np.where(
    told[..., None], one_hot(np.maximum(labels, 0), chances.shape[-1] - 1), chances
  )


def join(passes: Sequence[Passed], number: int) -> np.ndarray:
  """Probabilities of a frame from both directions, the nearer one counting more."""
  found = [passed for passed in passes if number in passed.chances]
  shares = np.array([1 / passed.distance[number] for passed in found])
  shares /= shares.sum()
  mixed = sum(
    share * passed.chances[number].astype(np.float32)
    for share, passed in zip(shares, found, strict=True)
  )
  return np.asarray(mixed)
