"""How sure the proposed masks are, and which frame to paint next."""

from collections.abc import Sequence

import numpy as np

from dipvid_jax.masking.propagation.passes import Passed, join

_REGION = 0.05  # of a probability: pixels that are in question at all
_FADES = 60.0  # frames: how fast confidence falls with the distance
_HELPS = 25.0  # frames: how far a painted frame helps
_LEAST_SHOWN = 0.2  # what painting a frame is worth that shows nothing of objects


def frame_confidence(passes: Sequence[Passed], number: int) -> float:
  """How sure a frame's masks are, in [0, 1]: by margin, agreement and distance.

  Args:
    passes: of both directions.
    number: of the frame.
  """
  mixed = 1 - join(passes, number)[..., 0]
  asked = mixed > _REGION
  margin = float(np.abs(2 * mixed[asked] - 1).mean()) if asked.any() else 0.5
  found = [
    1 - passed.chances[number][..., 0].astype(np.float32)
    for passed in passes
    if number in passed.chances
  ]
  agreement = 1.0
  if len(found) > 1:
    both, either = np.minimum(*found).sum(), np.maximum(*found).sum()
    agreement = float(both / max(either, 1e-6))
  distance = min(p.distance[number] for p in passes if number in p.distance)
  return float(np.clip(margin * agreement**0.5 * np.exp(-distance / _FADES), 0, 1))


def next_frame(
  confidence: np.ndarray, known: Sequence[int], sizes: np.ndarray
) -> int | None:
  """The frame whose painting should help most.

  There is doubt around it, it is far from the known frames, and the objects are not
  smaller in it than around: of a hidden object little can be learnt.

  Args:
    confidence: `[T]`, 1 in known frames.
    known: painted and locked frames.
    sizes: `[T]` pixels of the proposed masks.

  Returns:
    Its number; None if all are known.
  """
  numbers = np.arange(len(confidence))
  others = np.setdiff1d(numbers, known)
  if not len(others):
    return None
  doubt = 1 - confidence
  near = np.exp(-np.abs(numbers[:, None] - numbers) / _HELPS)
  reached = near[:, list(known)].max(1) if len(known) else np.zeros(len(numbers))
  gain = (np.maximum(near[others] - reached, 0) * doubt).sum(1)
  usual = (near * sizes).sum(1) / near.sum(1)
  shown = np.minimum(sizes / np.maximum(usual, 1), 1)[others]
  return int(others[np.argmax(gain * (_LEAST_SHOWN + (1 - _LEAST_SHOWN) * shown))])
