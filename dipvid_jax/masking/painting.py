"""Masks of a clip from some painted frames, scene by scene."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.painted import objects_of
from dipvid_jax.masking.propagation import (
  UPDATES,
  Looks,
  propagate_masks,
  propagation_work,
)


class SceneLooks(NamedTuple):
  """What is kept of a scene's frames.

  Attributes:
    scene: its frames.
    looks: of these frames.
  """

  scene: slice
  looks: Looks


class Painting(NamedTuple):
  """What was made of painted frames.

  Attributes:
    labels: `[T, H, W]` uint8, 0 = nothing, k = object k; painted frames as painted.
    confidence: of each frame for which a mask is proposed, in [0, 1]; 1 if painted.
    next_to_paint: the frame whose correction is expected to help most; None if there
      is no other.
    unpainted: the scenes without a painted frame; their masks are empty.
    looks: what is kept of each painted scene, by its first frame.
  """

  labels: np.ndarray
  confidence: dict[int, float]
  next_to_paint: int | None
  unpainted: tuple[slice, ...]
  looks: dict[int, SceneLooks]


def painting_work(
  painted: Mapping[int, np.ndarray],
  scenes: Sequence[slice],
  looks: Mapping[int, Looks],
  *,
  strokes: Mapping[int, np.ndarray] | None = None,
  updates: int = UPDATES,
) -> int:
  """The total that `propagate_scenes` reports to `on_progress`."""
  return sum(
    propagation_work(scene.stop - scene.start, updates, has_looks=scene.start in looks)
    for scene in scenes
    if _shows_something(_within(painted, scene), _within(strokes or {}, scene))
  )


def propagate_scenes(
  frames: np.ndarray,
  painted: Mapping[int, np.ndarray],
  scenes: Sequence[slice],
  *,
  looks: Mapping[int, Looks],
  strokes: Mapping[int, np.ndarray] | None = None,
  updates: int = UPDATES,
  on_progress: Callable[[int], None] | None = None,
) -> Painting:
  """Proposes masks in each scene that has a painted frame.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    painted: by frame number, `[H, W]` uint8: the complete truth of that frame.
    scenes: the frames that get masks, cut where nothing continues.
    looks: of an earlier call on the same frames, by the first frame of a scene.
    strokes: by frame number, `[H, W]` integers as `propagate_masks` takes them.
    updates: of the head that learns the objects, in each scene.
    on_progress: called with the pieces of work just finished, of `painting_work`.

  Returns:
    The masks.

  Raises:
    InputError: no painted frame shows an object.
  """
  strokes = strokes or {}
  if not _shows_something(painted, strokes):
    raise InputError("no painted frame shows an object; paint it in one at least")
  labels = np.zeros(frames.shape[:3], np.uint8)
  confidence: dict[int, float] = {}
  doubtful: dict[int, float] = {}
  kept: dict[int, SceneLooks] = {}
  for scene in scenes:
    first = scene.start
    inside, told = _within(painted, scene), _within(strokes, scene)
    if not inside and not told:
      continue
    if not _shows_something(inside, told):  # painted empty: nothing is in it
      confidence |= dict.fromkeys(range(first, scene.stop), 1.0)
      continue
    objects = sorted({*objects_of(inside), *objects_of(told)} - {-1})
    masks = propagate_masks(
      frames[scene],
      {n - first: _renumbered(image, objects) for n, image in inside.items()},
      strokes={n - first: _renumbered(image, objects) for n, image in told.items()},
      looks=looks.get(first),
      updates=updates,
      on_progress=on_progress,
    )
    labels[scene] = np.array([0, *objects], np.uint8)[masks.labels]
    confidence |= {first + i: float(c) for i, c in enumerate(masks.confidence)}
    if masks.next_to_paint is not None:
      number = first + masks.next_to_paint
      doubtful[number] = confidence[number]
    kept[first] = SceneLooks(scene, masks.looks)
  given = painted.keys() | strokes.keys()
  unpainted = tuple(s for s in scenes if given.isdisjoint(range(s.start, s.stop)))
  next_to_paint = min(doubtful, key=doubtful.__getitem__) if doubtful else None
  return Painting(labels, confidence, next_to_paint, unpainted, kept)


def _within(images: Mapping[int, np.ndarray], scene: slice) -> dict[int, np.ndarray]:
  """The painted frames of a scene."""
  numbers = range(scene.start, scene.stop)
  return {number: image for number, image in images.items() if number in numbers}


def _renumbered(image: np.ndarray, objects: Sequence[int]) -> np.ndarray:
  """Objects as 1, 2, ...: the effort grows with the highest number."""
  labels = np.minimum(image, 0).astype(np.int16)
  for number, k in enumerate(objects, 1):
    labels[image == k] = number
  return labels


def _shows_something(*given: Mapping[int, np.ndarray]) -> bool:
  return any((image > 0).any() for images in given for image in images.values())
