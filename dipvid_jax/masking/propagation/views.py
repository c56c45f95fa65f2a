"""What the head is trained on: frames, what they show and what it is told of that."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import jax
import numpy as np

from dipvid_jax.masking.propagation.looks import STRIDES
from dipvid_jax.masking.propagation.made_up import Painted, similarity

_PRIORS = 10  # of each view
_NOTHING_KNOWN = 3  # of them say nothing
_FAR = 0.25  # weight of pixels far from every object
_NEAR = 0.08  # of the diagonal
_PLACES = 24  # windows of a view
_ELSEWHERE = 6  # of them anywhere
_CROP = 0.5  # of a side


class Views(NamedTuple):
  """Frames to train on, with several priors each.

  Attributes:
    features: for strides 1, 2, 4, 8: `[V, h / stride, w / stride, c]` float16.
    colours: `[V, h, w, 3]` float16 in [-1, 1].
    labels: `[V, h, w]` int32.
    weights: `[V, h, w]` float16, 0 where nothing is said.
    priors: `[V, P, h, w, K + 1]` float16.
    places: `[V, N, 2]` int32 (row, column) of windows of `crop_size`, in steps of 8.
    shares: `[V]` float32, how often each is drawn; sums to 1.
  """

  features: tuple[np.ndarray, ...]
  colours: np.ndarray
  labels: np.ndarray
  weights: np.ndarray
  priors: np.ndarray
  places: np.ndarray
  shares: np.ndarray


def make_views(
  pictures: Sequence[Painted],
  features: tuple[np.ndarray, ...],
  *,
  objects: int,
  draw: np.random.Generator,
) -> Views:
  """Makes views of frames, all drawn equally often.

  Args:
    pictures: at least one.
    features: theirs, as in `Views`.
    objects: K.
    draw: of windows and priors.

  Returns:
    The views.
  """
  count = len(pictures)
  return Views(
    features,
    np.stack([s.frame / np.float16(127.5) - 1 for s in pictures]).astype(np.float16),
    np.stack([np.maximum(seen.labels, 0) for seen in pictures]),
    np.stack([_weights(seen.labels) for seen in pictures]),
    np.stack([np.stack([*_priors(s.labels, objects, draw)]) for s in pictures]),
    np.stack([_places(seen.labels, draw) for seen in pictures]),
    np.full(count, 1 / count, np.float32),
  )


def join_views(first: Views, second: Views, *, share: float) -> Views:
  """Both; the second ones are drawn with this share of the draws."""
  joined = jax.tree.map(lambda a, b: np.concatenate([a, b]), first, second)
  shares = [(1 - share) * first.shares, share * second.shares]
  return joined._replace(shares=np.concatenate(shares))


def leave_room(views: Views, count: int) -> Views:
  """With empty views that are never drawn: arrays of one shape need one program."""

  def pad(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, np.zeros((count, *array.shape[1:]), array.dtype)])

  return jax.tree.map(pad, views)


def crop_size(size: tuple[int, ...]) -> tuple[int, int]:
  """(height, width) of the windows that are trained on, for frames of (h, w)."""
  step = STRIDES[-1]
  height, width = (min(side, -(-int(side * _CROP) // step) * step) for side in size)
  return height, width


def _places(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
  """Windows, most of them with a pixel of an object somewhere in their middle."""
  step, crop = STRIDES[-1], np.array(crop_size(labels.shape))
  most = (np.array(labels.shape) - crop) // step
  found = np.argwhere(labels > 0)
  places = []
  for number in range(_PLACES):
    if number < _ELSEWHERE or not len(found):
      places.append(draw.integers(0, most + 1))
      continue
    centre = found[draw.integers(len(found))] + draw.uniform(-0.3, 0.3, 2) * crop
    places.append(np.clip((centre - crop / 2) // step, 0, most).astype(int))
  return np.array(places, np.int32)


def _weights(labels: np.ndarray) -> np.ndarray:
  reach = _NEAR * np.hypot(*labels.shape)
  away = cv2.distanceTransform((labels <= 0).astype(np.uint8), cv2.DIST_L2, 3)
  near = away <= reach if (labels > 0).any() else np.zeros(labels.shape, bool)
  return np.where(labels < 0, 0, np.where(near, 1, _FAR)).astype(np.float16)


def _priors(
  labels: np.ndarray, objects: int, draw: np.random.Generator
) -> Iterator[np.ndarray]:
  """What a neighbouring frame might have said, wrong as such things are."""
  size = labels.shape
  for number in range(_PRIORS):
    prior = np.zeros((*size, objects + 1), np.float16)
    if number >= _NOTHING_KNOWN:
      prior[..., -1] = 1
      for k in range(1, objects + 1):
        own = (labels == k).astype(np.float32)
        prior[..., k - 1] = _disturb(own, draw) if own.any() else 0
    yield prior


def _disturb(own: np.ndarray, draw: np.random.Generator) -> np.ndarray:
  size = own.shape
  motion = similarity(draw, size, turn=5, scale=0.06, shift=0.008, around=own)
  moved = cv2.warpAffine(own, motion, size[::-1])
  grown = int(draw.integers(-3, 4))
  if grown:
    kernel = np.ones((abs(grown) + 1,) * 2, np.uint8)
    moved = (cv2.dilate if grown > 0 else cv2.erode)(moved, kernel)
  rows, columns = np.nonzero(own)
  reach = max(np.ptp(columns), np.ptp(rows)) + 1
  for lost in (True, False):
    if draw.random() < 0.4:
      spot = draw.integers(len(rows))
      centre = np.array([columns[spot], rows[spot]])
      if not lost:
        centre = centre + draw.normal(0, 0.6 * reach, 2)
      radius = max(1, int(reach * draw.uniform(0.05, 0.25)))
      cv2.circle(moved, centre.astype(int).tolist(), radius, 0.0 if lost else 1.0, -1)
  return cv2.GaussianBlur(moved, (0, 0), draw.uniform(0.6, 2.0)) * draw.uniform(0.6, 1)
