"""Made-up frames: painted objects over other ground, to learn from.

An object is moved over its own background, which is filled where it stood (as in Lucid
data dreaming, Khoreva et al. 2017), or put into another frame of the clip beside the
place where it is expected there, so that the ground it will pass is seen as ground.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

_HIDDEN = 0.35  # share of the frames in which a bar hides a part
_BLURRED = 0.3
_DOUBT = 0.06  # of the diagonal: nothing is said this near to what is expected,
_DOUBT_OF_SIZE = 0.25  # and as much farther, of the root of its area
_ASIDE = (1.0, 3.0)  # roots of the object's area: how far it is put beside it,
_ASIDE_LEAST = 0.04  # and as much farther, of the diagonal


class Painted(NamedTuple):
  """A frame with its truth, at the working size.

  Attributes:
    frame: `[h, w, 3]` uint8 RGB.
    labels: `[h, w]` int32: 0 nothing, k object k, -1 not said.
  """

  frame: np.ndarray
  labels: np.ndarray


def over_own_ground(
  example: Painted, *, objects: int, draw: np.random.Generator
) -> Painted:
  """The objects of a painted frame, moved over their own background.

  Args:
    example: the whole truth of its frame.
    objects: K.
    draw: of the motions.
  """
  size = example.labels.shape
  whole = (example.labels > 0).astype(np.uint8)
  hidden = cv2.dilate(whole, np.ones((5, 5), np.uint8))
  filled = cv2.inpaint(example.frame, hidden, 3, cv2.INPAINT_TELEA)
  turned = draw.random() < 0.5
  motion = similarity(draw, size, turn=4, scale=0.06, shift=0.03)
  ground = cv2.warpAffine(filled, motion, size[::-1], borderMode=cv2.BORDER_REFLECT)
  lit = Painted(ground * draw.uniform(0.85, 1.15), np.zeros(size, np.int32))
  common = similarity(draw, size, turn=12, scale=0.2, shift=0.1, around=whole)
  made = _put(example, lit, common, objects=objects, draw=draw)
  if draw.random() < _HIDDEN:
    made = _hide(made, filled, draw)
  made = _finish(made, draw)
  return Painted(made.frame[:, ::-1], made.labels[:, ::-1]) if turned else made


def over_other_ground(
  examples: Sequence[Painted],
  ground: np.ndarray,
  expected: np.ndarray,
  *,
  objects: int,
  draw: np.random.Generator,
) -> Painted:
  """Objects of a painted frame in another frame, whose own ones are not known.

  Args:
    examples: painted frames, of which one is drawn.
    ground: `[h, w, 3]` uint8 RGB, the other frame.
    expected: `[h, w]` bool, where its objects are expected.
    objects: K.
    draw: of the motions.

  Returns:
    The frame; nothing is said in a wide surrounding of what is expected.
  """
  example = examples[int(draw.integers(len(examples)))]
  size = expected.shape
  diagonal = np.hypot(*size)
  whole = example.labels > 0
  extent = np.sqrt(whole.sum())
  labels = np.zeros(size, np.int32)
  aside = np.zeros(2)
  if expected.any():
    away = cv2.distanceTransform((~expected).astype(np.uint8), cv2.DIST_L2, 3)
    doubt = _DOUBT * diagonal + _DOUBT_OF_SIZE * np.sqrt(expected.sum())
    labels[away < doubt] = -1
    aside = np.argwhere(expected).mean(0) - np.argwhere(whole).mean(0)
  angle = draw.uniform(0, 2 * np.pi)
  far = draw.uniform(*_ASIDE) * extent + _ASIDE_LEAST * diagonal
  aside = aside + far * np.array([0.5 * np.sin(angle), np.cos(angle)])
  motion = similarity(draw, size, turn=12, scale=0.25, shift=0, around=whole)
  motion[:, 2] += aside[::-1]
  made = Painted(ground.astype(np.float32), labels)
  return _finish(_put(example, made, motion, objects=objects, draw=draw), draw)


def _put(
  example: Painted,
  ground: Painted,
  common: np.ndarray,
  *,
  objects: int,
  draw: np.random.Generator,
) -> Painted:
  """The objects moved by `common`, and each a little by itself, over the ground."""
  size = example.labels.shape
  frame, labels = ground.frame.astype(np.float32), ground.labels.copy()
  light = draw.uniform(0.9, 1.1) * (1 + draw.uniform(-0.05, 0.05, 3))
  for k in 1 + draw.permutation(objects):
    own = (example.labels == k).astype(np.float32)
    if not own.any():
      continue
    motion = similarity(draw, size, turn=3, scale=0.03, shift=0.01, around=own)
    both = (np.vstack([motion, [0, 0, 1]]) @ np.vstack([common, [0, 0, 1]]))[:2]
    moved = cv2.warpAffine(example.frame, both, size[::-1]).astype(np.float32)
    cover = cv2.warpAffine(own, both, size[::-1])
    labels[cover > 0.5] = k
    soft = cv2.GaussianBlur(cover, (0, 0), 0.7)[..., None]
    frame = ((1 - soft) * frame + soft * moved * light).astype(np.float32)
  return Painted(frame, labels)


def _finish(made: Painted, draw: np.random.Generator) -> Painted:
  """Sometimes blurred, and as 8 bits."""
  frame = made.frame
  if draw.random() < _BLURRED:
    frame = cv2.GaussianBlur(frame, (0, 0), draw.uniform(0.5, 1.2))
  return Painted(np.clip(frame, 0, 255).astype(np.uint8), made.labels)


def _hide(made: Painted, background: np.ndarray, draw: np.random.Generator) -> Painted:
  """Puts a bar of background from elsewhere over a part of the object."""
  frame, labels = made
  rows, columns = np.nonzero(labels)
  if not len(rows):
    return made
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
  return Painted(
    np.where(bar[..., None] > 0, other, frame), np.where(bar > 0, 0, labels)
  )


def similarity(
  draw: np.random.Generator,
  size: tuple[int, ...],
  *,
  turn: float,
  scale: float,
  shift: float,
  around: np.ndarray | None = None,
) -> np.ndarray:
  """A random similarity, `[2, 3]`.

  Args:
    draw: of the numbers.
    size: (h, w).
    turn: most degrees.
    scale: most deviation of the logarithm of its factor.
    shift: most of it, as a share of a side.
    around: `[h, w]`, the middle of what is not 0 stays; None: the middle of the frame.
  """
  height, width = size[:2]
  centre = (width / 2, height / 2)
  if around is not None and around.any():
    rows, columns = np.nonzero(around)
    centre = (float(columns.mean()), float(rows.mean()))
  factor = np.exp(draw.uniform(-scale, scale))
  turned = cv2.getRotationMatrix2D(centre, draw.uniform(-turn, turn), factor)
  away = draw.uniform(-shift, shift, 2) * (width, height)
  return np.asarray(turned) + np.pad(away[:, None], [(0, 0), (2, 0)])
