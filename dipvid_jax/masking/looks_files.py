"""What a propagation keeps of a scene's frames, in a file for the next call."""

import hashlib
from pathlib import Path

import numpy as np

from dipvid_jax.masking.propagation import Looks
from dipvid_jax.storage import atomic

_FRAMES = "fingerprint"  # the key of the fingerprint


def fingerprint(frames: np.ndarray) -> str:
  """Names the frames `[n, H, W, 3]` that looks belong to."""
  digest = hashlib.blake2b(repr(frames.shape).encode(), digest_size=16)
  for frame in frames:
    digest.update(frame.tobytes())
  return digest.hexdigest()


def write_looks(path: Path, looks: Looks, frames: np.ndarray) -> None:
  """Writes looks with the fingerprint of their frames.

  Args:
    path: a file that ends in .npz; it appears only once it is complete.
    looks: of the frames.
    frames: `[n, H, W, 3]` uint8.

  Raises:
    OSError: it cannot be written.
  """
  arrays = {name: np.asarray(value) for name, value in looks._asdict().items()}
  arrays[_FRAMES] = np.array(fingerprint(frames))
  with atomic.replacing(path) as partial, partial.open("wb") as file:
    np.savez(file, **arrays)  # type: ignore[arg-type]


def read_looks(path: Path, frames: np.ndarray) -> Looks | None:
  """Reads looks; None if they are of other frames, or cannot be read."""
  try:
    with np.load(path, allow_pickle=False) as file:
      if str(file[_FRAMES]) != fingerprint(frames):
        return None
      return Looks(**{name: file[name] for name in Looks._fields})
  except (OSError, ValueError, KeyError, EOFError):
    return None
