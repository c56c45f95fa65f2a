"""A composed set of one small video."""

from pathlib import Path

import numpy as np
import pytest

from dipvid_jax.media.images import write_images
from tests.support.media_files import moving_frames


def write_set(
  folder: Path, *, shape: tuple[int, int, int], hole: tuple[slice, slice]
) -> Path:
  """Composes a moving picture with a still hole, or skips the test.

  Args:
    folder: an existing one.
    shape: (T, H, W).
    hole: its rows and columns.

  Returns:
    The set's folder.
  """
  for package in ("tensorflow_datasets", "array_record"):
    pytest.importorskip(package, reason=f"{package} is in the extra data")
  from dipvid_jax.composed import build_composed

  write_images(folder / "clips/sea", moving_frames(*shape))
  masks = np.zeros((*shape, 3), np.uint8)
  masks[:, *hole] = 255
  write_images(folder / "masks/box", masks)
  build_composed(
    folder / "composed",
    backgrounds=folder / "clips",
    masks=folder / "masks",
    segment_length=shape[0],
    masks_per_segment=1,
    seed=0,
  )
  return folder / "composed"
