"""Masks of a clip from some painted frames, scene by scene."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.painted import objects_of
from dipvid_jax.masking.propagation import Looks, propagate_masks, propagation_work

UPDATES = 300
"""Of the head that learns an object's look in each scene."""


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
  updates: int = UPDATES,
) -> int:
  """The total that `propagate_scenes` reports to `on_progress`."""
  return sum(
    propagation_work(scene.stop - scene.start, updates, has_looks=scene.start in looks)
    for scene, inside in _with_painted(painted, scenes)
    if _shows_something(inside)
  )


def propagate_scenes(
  frames: np.ndarray,
  painted: Mapping[int, np.ndarray],
  scenes: Sequence[slice],
  *,
  looks: Mapping[int, Looks],
  updates: int = UPDATES,
  on_progress: Callable[[int], None] | None = None,
) -> Painting:
  """Proposes masks in each scene that has a painted frame.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    painted: by frame number, `[H, W]` uint8: the complete truth of that frame.
    scenes: the frames that get masks, cut where nothing continues.
    looks: of an earlier call on the same frames, by the first frame of a scene.
    updates: of the head that learns the objects, in each scene.
    on_progress: called with the pieces of work just finished, of `painting_work`.

  Returns:
    The masks.

  Raises:
    InputError: no painted frame shows an object.
  """
  if not _shows_something(painted):
    raise InputError("no painted frame shows an object; paint it in one at least")
  labels = np.zeros(frames.shape[:3], np.uint8)
  confidence: dict[int, float] = {}
  doubtful: dict[int, float] = {}
  kept: dict[int, SceneLooks] = {}
  for scene, inside in _with_painted(painted, scenes):
    first = scene.start
    if not inside:
      continue
    if not _shows_something(inside):  # painted empty: the objects are not in it
      confidence |= dict.fromkeys(range(first, scene.stop), 1.0)
      continue
    objects = objects_of(inside)
    masks = propagate_masks(
      frames[scene],
      {n - first: _renumbered(image, objects) for n, image in inside.items()},
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
  unpainted = tuple(s for s, inside in _with_painted(painted, scenes) if not inside)
  next_to_paint = min(doubtful, key=doubtful.__getitem__) if doubtful else None
  return Painting(labels, confidence, next_to_paint, unpainted, kept)


def _with_painted(
  painted: Mapping[int, np.ndarray], scenes: Sequence[slice]
) -> Iterator[tuple[slice, dict[int, np.ndarray]]]:
  """Each scene with the painted frames in it."""
  for scene in scenes:
    numbers = range(scene.start, scene.stop)
    yield scene, {n: image for n, image in painted.items() if n in numbers}


def _renumbered(image: np.ndarray, objects: Sequence[int]) -> np.ndarray:
  """Objects as 1, 2, ...: the effort grows with the highest number."""
  labels = np.zeros(image.shape, np.uint8)
  for number, k in enumerate(objects, 1):
    labels[image == k] = number
  return labels


def _shows_something(painted: Mapping[int, np.ndarray]) -> bool:
  return any(image.any() for image in painted.values())
