"""What the head is trained on: painted frames, and made-up views of them.

In a made-up view the object is moved over its own background, which is filled where it
stood (as in Lucid data dreaming, Khoreva et al. 2017), and sometimes partly hidden.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.masking.propagation.looks import STRIDES, Projection, view_features
from dipvid_jax.networks.vgg import VGGParams

_PRIORS = 12  # of each view
_NOTHING_KNOWN = 3  # of them say nothing
_FAR = 0.25  # weight of pixels far from every object
_NEAR = 0.08  # of the diagonal
_PLACES = 24  # windows of a view
_ELSEWHERE = 6  # of them anywhere
_CROP = 0.5  # of a side


class Painted(NamedTuple):
  """A frame with its truth, at the working size.

  Attributes:
    frame: `[h, w, 3]` uint8 RGB.
    labels: `[h, w]` int32: 0 nothing, k object k, -1 not said.
  """

  frame: np.ndarray
  labels: np.ndarray

  @property
  def is_whole(self) -> bool:
    """Whether every pixel is said."""
    return bool((self.labels >= 0).all())


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
  painted: Sequence[Painted],
  *,
  objects: int,
  made_up: int,
  projections: Sequence[Projection],
  vgg: VGGParams,
  seed: int,
) -> Views:
  """Makes the views of some painted frames.

  Args:
    painted: at least one; an object in one of them.
    objects: K.
    made_up: views of each frame beside itself.
    projections: of the looks.
    vgg: from `load_vgg16(blocks=4)`.
    seed: of the views.

  Returns:
    The views.
  """
  draw = np.random.default_rng(seed)
  seen, shares = [], []
  for example in painted:
    more = made_up if example.is_whole and (example.labels > 0).any() else 0
    seen += [example, *(_make_up(example, objects, draw) for _ in range(more))]
    shares += [1.0 if not more else 0.5] + [0.5 / max(more, 1)] * more
  layers = [view_features(view.frame, projections, vgg) for view in seen]
  return Views(
    tuple(np.stack(layer) for layer in zip(*layers, strict=True)),
    np.stack([view.frame / np.float16(127.5) - 1 for view in seen]).astype(np.float16),
    np.stack([np.maximum(view.labels, 0) for view in seen]),
    np.stack([_weights(view.labels) for view in seen]),
    np.stack([np.stack([*_priors(view.labels, objects, draw)]) for view in seen]),
    np.stack([_places(view.labels, draw) for view in seen]),
    np.array(shares, np.float32) / sum(shares),
  )


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


def _make_up(example: Painted, objects: int, draw: np.random.Generator) -> Painted:
  """One made-up view of a frame."""
  size = example.labels.shape
  whole = (example.labels > 0).astype(np.uint8)
  hidden = cv2.dilate(whole, np.ones((5, 5), np.uint8))
  filled = cv2.inpaint(example.frame, hidden, 3, cv2.INPAINT_TELEA)
  turned = draw.random() < 0.5
  ground = cv2.warpAffine(
    filled,
    _motion(draw, size, turn=4, scale=0.06, shift=0.03),
    size[::-1],
    borderMode=cv2.BORDER_REFLECT,
  ).astype(np.float32)
  ground *= draw.uniform(0.85, 1.15)
  labels = np.zeros(size, np.int32)
  common = _motion(draw, size, turn=12, scale=0.2, shift=0.1, around=whole)
  light = draw.uniform(0.9, 1.1) * (1 + draw.uniform(-0.05, 0.05, 3))
  for k in 1 + draw.permutation(objects):
    own = (example.labels == k).astype(np.float32)
    if not own.any():
      continue
    motion = _motion(draw, size, turn=3, scale=0.03, shift=0.01, around=own)
    both = (np.vstack([motion, [0, 0, 1]]) @ np.vstack([common, [0, 0, 1]]))[:2]
    moved = cv2.warpAffine(example.frame, both, size[::-1]).astype(np.float32)
    cover = cv2.warpAffine(own, both, size[::-1])
    labels[cover > 0.5] = k
    soft = cv2.GaussianBlur(cover, (0, 0), 0.7)[..., None]
    ground = ((1 - soft) * ground + soft * moved * light).astype(np.float32)
  if draw.random() < 0.35:
    ground, labels = _hide(ground, labels, filled, draw)
  if draw.random() < 0.3:
    blurred = cv2.GaussianBlur(ground, (0, 0), draw.uniform(0.5, 1.2))
    ground = blurred.astype(np.float32)
  frame = np.clip(ground, 0, 255).astype(np.uint8)
  if turned:
    frame, labels = frame[:, ::-1].copy(), labels[:, ::-1].copy()
  return Painted(frame, labels)


def _hide(
  ground: np.ndarray,
  labels: np.ndarray,
  background: np.ndarray,
  draw: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
  """Puts a bar of background from elsewhere over a part of the object."""
  rows, columns = np.nonzero(labels)
  if not len(rows):
    return ground, labels
  spot = draw.integers(len(rows))
  reach = max(np.ptp(columns), np.ptp(rows)) + 1
  angle = draw.uniform(0, np.pi)
  away = reach * np.array([np.cos(angle), np.sin(angle)])
  centre = np.array([columns[spot], rows[spot]])
  ends = [(centre + side * away).astype(int).tolist() for side in (-1, 1)]
  bar = np.zeros(labels.shape, np.uint8)
  thick = max(2, int(reach * draw.uniform(0.05, 0.25)))
  cv2.line(bar, ends[0], ends[1], 1, thick)
  other = np.roll(background, draw.integers(labels.shape), (0, 1))
  return np.where(bar[..., None] > 0, other, ground), np.where(bar > 0, 0, labels)


def _motion(
  draw: np.random.Generator,
  size: tuple[int, ...],
  *,
  turn: float,
  scale: float,
  shift: float,
  around: np.ndarray | None = None,
) -> np.ndarray:
  """A random similarity, `[2, 3]`; degrees, a factor's deviation, shares of a side."""
  height, width = size[:2]
  centre = (width / 2, height / 2)
  if around is not None and around.any():
    rows, columns = np.nonzero(around)
    centre = (float(columns.mean()), float(rows.mean()))
  factor = np.exp(draw.uniform(-scale, scale))
  turned = cv2.getRotationMatrix2D(centre, draw.uniform(-turn, turn), factor)
  away = draw.uniform(-shift, shift, 2) * (width, height)
  return np.asarray(turned) + np.pad(away[:, None], [(0, 0), (2, 0)])


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
  motion = _motion(draw, size, turn=5, scale=0.06, shift=0.008, around=own)
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
