"""The values that travel along the road, each field with its shape.

T frames of a clip, N frames of a batch, S strides, H x W the working size.
"""

import dataclasses
import fractions
import pathlib
from typing import NamedTuple

import jax
import numpy as np


class Timestamps(NamedTuple):
  """When the frames of a clip of variable frame rate are shown.

  Attributes:
    ticks: `[T + 1]` int64, rising from 0: frame t is shown from `ticks[t]` until
      `ticks[t + 1]`.
    time_base: seconds a tick.
  """

  ticks: np.ndarray
  time_base: fractions.Fraction


@dataclasses.dataclass(frozen=True)
class Video:
  """A decoded video.

  Attributes:
    frames: `[T, H, W, 3]` uint8 RGB, upright.
    frame_rate: frames per second, on average where `timestamps` are given.
    timestamps: the frames' times; None where the rate is constant.
    pixel_aspect: width of a pixel over its height, as the frames are shown.
    bit_depth: bits a sample of the source, which were rounded to 8.
    audio: the file that holds the clip's sound; None where there is none.
  """

  frames: np.ndarray
  frame_rate: fractions.Fraction
  timestamps: Timestamps | None = None
  pixel_aspect: fractions.Fraction = fractions.Fraction(1)
  bit_depth: int = 8
  audio: pathlib.Path | None = None


class Outputs(NamedTuple):
  """What the generator makes of a batch of noise maps.

  Attributes:
    image: `[N, H, W, 3]` RGB in (0, 1).
    flow: `[N, H, W, F]` flow in network units (pixels / flow_scale), two channels
      (dx, dy) for each stride and direction in the order f1 b1 f3 b3 f5 b5.
  """

  image: jax.Array
  flow: jax.Array


class Batch(NamedTuple):
  """N frames at one stride, in the order in which the flow runs through them.

  A batch taken backwards in time is stored in reversed order, so the pair
  (k, k + 1) is (frame i, frame i +- stride) in every batch. The fields of the flow
  are None where a method has none, the features empty where no loss reads them.

  Attributes:
    noise: `[N, H, W, C]` the fixed network input.
    frames: `[N, H, W, 3]` RGB in [0, 1]; finite in the hole too.
    hole_mask: `[N, H, W, 1]` 1 = fill.
    flow: `[N-1, H, W, 2]` known flow of the pairs in network units.
    flow_hole: `[N-1, H, W, 1]` 1 where frame k, or frame k + 1 along the flow, is
      in the hole.
    visible: `[N-1, H, W, 1]` 1 where the known flow can be trusted.
    flow_scale: scalar, pixels per network unit at this stride.
    flow_channel: scalar int32, the first of the two generated flow channels.
    features: features of the known frames, a map for each layer.
    feature_holes: `[N, h, w, 1]` for each layer, 1 where a feature saw the hole.
  """

  noise: jax.Array
  frames: jax.Array
  hole_mask: jax.Array
  flow: jax.Array | None = None
  flow_hole: jax.Array | None = None
  visible: jax.Array | None = None
  flow_scale: jax.Array | None = None
  flow_channel: jax.Array | None = None
  features: tuple[jax.Array, ...] = ()
  feature_holes: tuple[jax.Array, ...] = ()
