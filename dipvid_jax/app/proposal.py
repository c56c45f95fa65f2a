"""The masks that the last propagation proposed, in memory and in a file."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.app.clip import OpenClip
from dipvid_jax.masking.painting import Painting
from dipvid_jax.storage import atomic

_FILE = "proposal.npz"
_NO_FRAME = -1


class Proposal(NamedTuple):
  """Proposed masks.

  Attributes:
    labels: `[T, H, W]` uint8; `[0, 0, 0]` before the first propagation.
    confidence: by frame.
    next_to_paint: a frame; None if there is no other.
    marked: the frames that have a mask.
  """

  labels: np.ndarray
  confidence: dict[int, float]
  next_to_paint: int | None
  marked: set[int]

  @classmethod
  def empty(cls) -> "Proposal":
    """Before the first propagation."""
    return cls(np.zeros((0, 0, 0), np.uint8), {}, None, set())

  @classmethod
  def of(cls, painting: Painting) -> "Proposal":
    """What a propagation proposes."""
    marked = np.flatnonzero([labels.any() for labels in painting.labels])
    return cls(
      painting.labels,
      painting.confidence,
      painting.next_to_paint,
      set(marked.tolist()),
    )

  def frame(self, number: int, size: tuple[int, int]) -> np.ndarray:
    """The labels of a frame, `[H, W]` uint8."""
    return self.labels[number] if len(self.labels) else np.zeros(size, np.uint8)

  def put(self, number: int, labels: np.ndarray) -> None:
    """Replaces the proposal of a frame."""
    if len(self.labels):
      self.labels[number] = labels
      (self.marked.add if labels.any() else self.marked.discard)(number)


def write_proposal(folder: Path, proposal: Proposal) -> None:
  """Keeps a proposal for the next start."""
  folder.mkdir(parents=True, exist_ok=True)
  numbers = sorted(proposal.confidence)
  following = proposal.next_to_paint
  with atomic.replacing(folder / _FILE) as partial, partial.open("wb") as file:
    np.savez_compressed(
      file,
      labels=proposal.labels,
      numbers=np.array(numbers, np.int64),
      confidence=np.array([proposal.confidence[n] for n in numbers], np.float64),
      following=np.array(_NO_FRAME if following is None else following),
    )


def read_proposal(folder: Path, clip: OpenClip) -> Proposal:
  """Reads what was kept of this clip; empty if there is nothing that fits."""
  try:
    with np.load(folder / _FILE, allow_pickle=False) as file:
      labels, following = file["labels"], int(file["following"])
      confidence = dict(
        zip(file["numbers"].tolist(), file["confidence"].tolist(), strict=True)
      )
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
    return Proposal.empty()
  if labels.shape != clip.video.frames.shape[:3]:
    return Proposal.empty()
  painting = Painting(
    labels, confidence, None if following == _NO_FRAME else following, (), {}
  )
  return Proposal.of(painting)
