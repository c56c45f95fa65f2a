"""Masks of all frames from a few painted ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.propagation.confidence import frame_confidence, next_frame
from dipvid_jax.masking.propagation.edges import to_own_size
from dipvid_jax.masking.propagation.learn import learn, predictor
from dipvid_jax.masking.propagation.looks import Looks, look
from dipvid_jax.masking.propagation.passes import Passed, join, pass_both_ways
from dipvid_jax.media.images import format_size
from dipvid_jax.networks.vgg import VGGParams, load_vgg16

MOST_OBJECTS = 254
UPDATES = 1000
"""Of the heads that learn what objects look like."""
_VGG_BLOCKS = 4
# A pixel is the object's from this probability on: below a half, because what a mask
# misses stays in the picture as a ghost, and what it takes too much is filled.
_LEAST_CHANCE = 0.3
_UPDATES_A_FRAME = 10  # that take as long as the features of a frame


class Masks(NamedTuple):
  """Proposed masks of all frames.

  Attributes:
    labels: `[T, H, W]` uint8, 0 = nothing, k = object k.
    confidence: `[T]` float32 in [0, 1]; 1 in painted and locked frames.
    next_to_paint: the frame whose correction is expected to help most; None if every
      frame is painted or locked.
    looks: for a further call on the same frames.
  """

  labels: np.ndarray
  confidence: np.ndarray
  next_to_paint: int | None
  looks: Looks

  @property
  def masks(self) -> np.ndarray:
    """`[T, H, W]` bool, True in any object."""
    return self.labels > 0


def propagation_work(frame_count: int, updates: int, *, has_looks: bool) -> int:
  """How much `propagate_masks` reports in all, in frames.

  Args:
    frame_count: T.
    updates: of the head.
    has_looks: whether the looks of an earlier call are given.
  """
  looks = 0 if has_looks else frame_count
  return looks + _frames_worth(updates) + frame_count


def propagate_masks(
  frames: np.ndarray,
  painted: Mapping[int, np.ndarray],
  *,
  strokes: Mapping[int, np.ndarray] | None = None,
  locked: Mapping[int, np.ndarray] | None = None,
  looks: Looks | None = None,
  vgg: VGGParams | None = None,
  updates: int = UPDATES,
  seed: int = 0,
  on_progress: Callable[[int], None] | None = None,
) -> Masks:
  """Proposes masks of all frames, given those of some.

  A small network on VGG16's features learns the objects from the painted frames, and
  follows them outward from there along the optical flow. It is an assisted brush: look
  through the result, paint `next_to_paint`, and call again with `looks`.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB, or float in [0, 1], of one scene.
    painted: masks `[H, W]` by frame, each the whole truth of its frame: bool, or
      integers with 0 = nothing and k = object k, at most 254; uint8 of 0 and 255 alone
      counts as bool. An empty one says that nothing is there.
    strokes: `[H, W]` integers by frame, where only a part is said: k = object k here,
      -1 = no object here, 0 = nothing said.
    locked: masks of frames that are right as they are; like painted ones.
    looks: of an earlier call on the same frames; saves most of the time. What that
      call learnt is continued with fewer updates, unless the objects or a painted
      frame of it are others now.
    vgg: from `load_vgg16(blocks=4)`; None loads it.
    updates: of the networks, where no earlier ones are continued.
    seed: of the network. The same seed and input, looks among it, give the same masks.
    on_progress: called with finished pieces of `propagation_work`.

  Returns:
    The masks. Painted and locked frames and what strokes say are kept as they are.

  Raises:
    InputError: no object is painted, a frame does not exist, or a shape does not fit.
  """
  frames = _check_frames(frames)
  truth = _check_truth(frames, {"locked": locked or {}, "painted": painted})
  said = _check_strokes(frames, strokes or {}, truth)
  objects = max((int(m.max()) for m in (*truth.values(), *said.values())), default=0)
  if objects < 1:
    raise InputError("no object is painted in any frame; paint it in one")
  report = on_progress or (lambda _: None)
  vgg = vgg or load_vgg16(blocks=_VGG_BLOCKS)
  if looks is None:
    looks = look(frames, first=[*truth, *said], vgg=vgg, on_progress=report)
  elif looks.size != frames.shape[1:3] or len(looks.frames) != len(frames):
    raise InputError(
      f"the looks are of {len(looks.frames)} frames of {format_size(looks.size)}, not"
      f" of these {len(frames)} of {format_size(frames.shape[1:3])}"
    )
  known = {t: _reduce(labels, looks) for t, labels in truth.items()}
  told = {t: _reduce(_as_truth(strokes), looks) for t, strokes in said.items()}
  learnt = learn(
    looks,
    known,
    told,
    objects=objects,
    vgg=vgg,
    updates=updates,
    seed=seed,
    on_progress=_scaled(report, updates),
  )
  looks = looks._replace(learnt=learnt)
  predict = predictor(learnt)
  passes = pass_both_ways(looks, known, told, predict, objects=objects)
  return _result(frames, truth, said, looks, passes, report=report)


def _result(
  frames: np.ndarray,
  truth: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  looks: Looks,
  passes: Sequence[Passed],
  *,
  report: Callable[[int], None],
) -> Masks:
  labels = np.zeros(frames.shape[:3], np.uint8)
  confidence = np.ones(len(frames), np.float32)
  for number, frame in enumerate(frames):
    if number in truth:
      labels[number] = truth[number]
    else:
      chances = join(passes, number)
      confidence[number] = frame_confidence(passes, number)
      labels[number] = _decide(to_own_size(chances, frame))
      if number in said:
        told = said[number] != 0
        labels[number][told] = np.maximum(said[number][told], 0)
    report(1)
  sizes = (labels > 0).sum((1, 2))
  return Masks(labels, confidence, next_frame(confidence, sorted(truth), sizes), looks)


def _decide(chances: np.ndarray) -> np.ndarray:
  """Object k where it is the likeliest of all objects and likely enough."""
  objects = chances[..., 1:]
  return np.where(objects.sum(-1) > _LEAST_CHANCE, 1 + objects.argmax(-1), 0).astype(
    np.uint8
  )


def _reduce(labels: np.ndarray, looks: Looks) -> np.ndarray:
  """Labels at the working size: what covers most of a pixel."""
  height, width = looks.frames.shape[1:3]
  if labels.shape == (height, width):
    return labels.astype(np.int32)
  values = np.unique(labels)
  cover = [
    cv2.resize(
      (labels == value).astype(np.float32),
      (width, height),
      interpolation=cv2.INTER_AREA,
    )
    for value in values
  ]
  return values[np.argmax(cover, axis=0)].astype(np.int32)


def _as_truth(strokes: np.ndarray) -> np.ndarray:
  """Strokes as labels: -1 where nothing is said."""
  return np.where(strokes == 0, -1, np.maximum(strokes, 0)).astype(np.int32)


def _frames_worth(updates: int) -> int:
  """Updates as the number of frames whose features take as long."""
  return -(-updates // _UPDATES_A_FRAME)


def _scaled(report: Callable[[int], None], updates: int) -> Callable[[float], None]:
  """Counts shares of the training as frames."""
  done, reported = 0.0, 0

  def count(more: float) -> None:
    nonlocal done, reported
    done += more
    reached = int(_frames_worth(updates) * done + 1e-6)
    report(reached - reported)
    reported = reached

  return count


def _check_frames(frames: np.ndarray) -> np.ndarray:
  if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
    raise InputError(f"frames must be [T, H, W, 3], got {frames.shape}")
  if np.issubdtype(frames.dtype, np.floating):
    return np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)
  if frames.dtype != np.uint8:
    raise InputError(f"frames must be uint8 or float in [0, 1], got {frames.dtype}")
  return frames


def _check_truth(
  frames: np.ndarray, given: Mapping[str, Mapping[int, np.ndarray]]
) -> dict[int, np.ndarray]:
  truth = {}
  for name, masks in given.items():
    for number, mask in masks.items():
      mask = _check_mask(f"{name} frame {number}", frames, number, mask)
      if mask.dtype != bool and set(np.unique(mask)) <= {0, 255}:
        mask = mask > 0
      if mask.min() < 0 or mask.max() > MOST_OBJECTS:
        raise InputError(
          f"{name} frame {number}: objects are numbered from 1 to {MOST_OBJECTS}, got"
          f" {mask.min()} to {mask.max()}"
        )
      truth[number] = mask.astype(np.uint8)
  return truth


def _check_strokes(
  frames: np.ndarray, strokes: Mapping[int, np.ndarray], truth: Mapping[int, np.ndarray]
) -> dict[int, np.ndarray]:
  found = {}
  for number, mask in strokes.items():
    mask = _check_mask(f"strokes in frame {number}", frames, number, mask)
    if mask.min() < -1 or mask.max() > MOST_OBJECTS:
      raise InputError(
        f"strokes in frame {number}: are -1, 0 or an object from 1 to {MOST_OBJECTS}"
      )
    if number not in truth and mask.any():
      found[number] = mask.astype(np.int32)
  return found


def _check_mask(
  name: str, frames: np.ndarray, number: int, mask: np.ndarray
) -> np.ndarray:
  mask = np.asarray(mask)
  if not 0 <= number < len(frames):
    raise InputError(f"{name}: the clip has frames 0 to {len(frames) - 1}")
  if mask.shape != frames.shape[1:3]:
    shape = (
      format_size((mask.shape[0], mask.shape[1])) if mask.ndim == 2 else mask.shape
    )
    raise InputError(
      f"{name}: its mask is {shape}, the frames are {format_size(frames.shape[1:3])}"
    )
  if mask.dtype != bool and not np.issubdtype(mask.dtype, np.integer):
    raise InputError(f"{name}: its mask must be bool or integers, got {mask.dtype}")
  return mask
