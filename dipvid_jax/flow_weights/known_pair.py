"""Two real frames and a reference flow between them from another program."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import format_size, read_image
from flow import end_point_error, read_flo

Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class KnownPair:
  """A pair with a reference flow.

  Attributes:
    first: `[H, W, 3]` float32, RGB in [0, 1].
    second: the same form.
    flow: `[H, W, 2]` float32, (dx, dy) pixels from first to second.
  """

  first: np.ndarray
  second: np.ndarray
  flow: np.ndarray

  def error(self, estimate: Estimate) -> float:
    """Mean end-point error of an estimator against the reference, pixels."""
    estimated = np.asarray(estimate(self.first[None], self.second[None]))[0]
    return end_point_error(estimated, self.flow)


def read_known_pair(first: Path, second: Path, reference: Path) -> KnownPair:
  """Reads a pair.

  Args:
    first: an image.
    second: the image after it.
    reference: the flow from first to second (.flo).

  Returns:
    The pair.

  Raises:
    InputError: a file cannot be read, an image is grey, or the sizes differ.
  """
  before, after = (
    np.asarray(read_image(path), np.float32) / 255 for path in (first, second)
  )
  flow = read_flo(reference)
  for path, shape in ((second, after.shape), (reference, flow.shape)):
    if shape[:2] != before.shape[:2]:
      raise InputError(
        f"{path}: is {format_size(shape)}, {first} is {format_size(before.shape)}"
        " (height x width); give files of one size"
      )
  if before.ndim != 3 or after.ndim != 3:
    raise InputError(f"{first}, {second}: must be colour images")
  return KnownPair(before, after, flow)
