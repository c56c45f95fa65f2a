"""The values that travel along the road, each field with its shape.

T frames of a clip, N frames of a batch, S strides, H x W the working size.
"""

import dataclasses
import fractions
from typing import NamedTuple

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Video:
  """A decoded video.

  Attributes:
    frames: `[T, H, W, 3]` uint8 RGB.
    frame_rate: frames per second.
  """

  frames: np.ndarray
  frame_rate: fractions.Fraction
