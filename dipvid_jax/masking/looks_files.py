"""What a propagation keeps of a scene's frames, in a file for the next call."""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from dipvid_jax.masking.propagation import Looks
from dipvid_jax.masking.propagation.learnt import Learnt
from dipvid_jax.masking.propagation.looks import STRIDES, Projection
from dipvid_jax.storage import atomic

MOST_BYTES = 2**31
"""Of all scenes together; more is not kept."""

_VERSION = "2"
_OF = "of"  # the key of what they belong to


def size_of(looks: Looks) -> int:
  """The bytes that looks take in a file, about."""
  return sum(array.nbytes for array in _arrays(looks).values())


def write_looks(path: Path, looks: Looks, frames: np.ndarray) -> None:
  """Writes looks with what identifies their frames.

  Args:
    path: a file that ends in .npz; it appears only once it is complete.
    looks: of the frames.
    frames: `[n, H, W, 3]` uint8.

  Raises:
    OSError: it cannot be written.
  """
  arrays = _arrays(looks) | {_OF: np.array(_identity(frames))}
  with atomic.replacing(path) as partial, partial.open("wb") as file:
    np.savez(file, **arrays)  # type: ignore[arg-type]


def read_looks(path: Path, frames: np.ndarray) -> Looks | None:
  """Reads looks; None if they are of other frames, or cannot be read."""
  try:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
      return _looks(file) if str(file[_OF]) == _identity(frames) else None
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
    return None


def _identity(frames: np.ndarray) -> str:
  """Names the frames `[n, H, W, 3]` that looks belong to, and this format."""
  digest = hashlib.blake2b(digest_size=16)
  for frame in frames:
    digest.update(frame.tobytes())
  return f"{_VERSION} {list(frames.shape)} {digest.hexdigest()}"


def _arrays(looks: Looks) -> dict[str, np.ndarray]:
  arrays = {
    "size": np.array(looks.size),
    "frames": looks.frames,
    "to_next": looks.to_next,
    "to_previous": looks.to_previous,
  }
  for i, (features, projection) in enumerate(
    zip(looks.features, looks.projections, strict=True)
  ):
    arrays[f"features_{i}"] = features
    arrays[f"mean_{i}"], arrays[f"basis_{i}"] = projection
  return arrays | (_learnt_arrays(looks.learnt) if looks.learnt else {})


def _learnt_arrays(learnt: Learnt) -> dict[str, np.ndarray]:
  arrays = {"learnt": np.array([len(learnt.heads), learnt.objects, learnt.calls])}
  for number, head in enumerate(learnt.heads):
    for name, array in flatten_dict(head, sep="/").items():
      arrays[f"head/{number}/{name}"] = np.asarray(array)
  for name, frames in (("known", learnt.known), ("said", learnt.said)):
    for number, labels in frames.items():
      arrays[f"{name}/{number}"] = labels
  return arrays


def _looks(file: Mapping[str, np.ndarray]) -> Looks:
  layers = range(len(STRIDES))
  return Looks(
    size=(int(file["size"][0]), int(file["size"][1])),
    frames=file["frames"],
    features=tuple(file[f"features_{i}"] for i in layers),
    to_next=file["to_next"],
    to_previous=file["to_previous"],
    projections=tuple(
      Projection(file[f"mean_{i}"], file[f"basis_{i}"]) for i in layers
    ),
    learnt=_learnt(file) if "learnt" in file else None,
  )


def _learnt(file: Mapping[str, np.ndarray]) -> Learnt:
  def under(prefix: str) -> dict[str, np.ndarray]:
    names = [name for name in file if name.startswith(prefix)]
    return {name.removeprefix(prefix): file[name] for name in names}

  count, objects, calls = file["learnt"].tolist()
  return Learnt(
    heads=tuple(
      unflatten_dict(under(f"head/{number}/"), sep="/") for number in range(count)
    ),
    objects=objects,
    known={int(number): labels for number, labels in under("known/").items()},
    said={int(number): labels for number, labels in under("said/").items()},
    calls=calls,
  )
