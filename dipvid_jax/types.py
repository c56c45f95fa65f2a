"""The values that pass between stages, each field with its shape.

T frames of a clip, N frames of a batch, P pairs of frames, S strides, H x W the
working size.
"""

import dataclasses
import fractions
import pathlib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import jax
import numpy as np
from jaxtyping import Float, Int, Int64, UInt8

from flow.types import AnyArray

# The field of an interlaced frame that is shown first: its even lines or its odd ones.
FieldOrder = Literal["top", "bottom"]


class Timestamps(NamedTuple):
  """When the frames of a clip of variable frame rate are shown.

  Attributes:
    ticks: rising from 0: frame t is shown from `ticks[t]` until `ticks[t + 1]`.
    time_base: seconds per tick.
  """

  ticks: Int64[np.ndarray, " T+1"]
  time_base: fractions.Fraction


class Colour(NamedTuple):
  """What a video says of its colours, in FFmpeg's numbers.

  Attributes:
    primaries: AVCOL_PRI_*; 2 if the file does not say.
    transfer: AVCOL_TRC_*; 2 if it does not say.
    matrix: AVCOL_SPC_*; 2 if it does not say, 0 if its samples are RGB.
    range: AVCOL_RANGE_*: 1 limited, 2 full; 0 if it does not say.
  """

  primaries: int = 2
  transfer: int = 2
  matrix: int = 2
  range: int = 0


@dataclasses.dataclass(frozen=True)
class Video:
  """A decoded video.

  Attributes:
    frames: RGB, upright.
    frame_rate: frames per second; the average if `timestamps` are given.
    timestamps: when the frames are shown; None if the frame rate is constant.
    pixel_aspect: width of a pixel over its height, as the frames are shown.
    bit_depth: bits per sample of the source, which were rounded to 8.
    audio: the file that holds the clip's sound; None if the clip is silent.
    colour: the tags of its colours; None for a source without tags.
    field_order: of interlaced video whose frames can be written with that tag.
    remarks: what the file says that a result will not say, one line each.
  """

  frames: UInt8[np.ndarray, "T H W 3"]
  frame_rate: fractions.Fraction
  timestamps: Timestamps | None = None
  pixel_aspect: fractions.Fraction = fractions.Fraction(1)
  bit_depth: int = 8
  audio: pathlib.Path | None = None
  colour: Colour | None = None
  field_order: FieldOrder | None = None
  remarks: tuple[str, ...] = ()


class Outputs(NamedTuple):
  """What the generator computes from a batch of noise maps.

  Attributes:
    image: RGB in (0, 1).
    flow: in network units (pixels / flow_scale), two channels (dx, dy) for each
      stride and direction in the order f1 b1 f3 b3 f5 b5.
  """

  image: Float[jax.Array, "N H W 3"]
  flow: Float[jax.Array, "N H W F"]


class Batch(NamedTuple):
  """N frames at one stride, in the order in which the flow runs through them.

  A batch taken backwards in time is stored in reversed order, so the pair
  (k, k + 1) is (frame i, frame i +- stride) in every batch. The flow fields are None
  for methods without flow; the features are empty if no loss reads them.

  Attributes:
    noise: the fixed network input.
    frames: RGB in [0, 1]; finite in the hole too.
    hole_mask: 1 = fill.
    flow: known flow of the pairs in network units.
    flow_hole: 1 where frame k, or frame k + 1 along the flow, is in the hole.
    visible: 1 where the known flow can be trusted.
    flow_scale: pixels per network unit at this stride.
    flow_channel: the first of the two generated flow channels.
    features: features of the known frames, one map per layer.
    feature_holes: one mask per layer, 1 where a feature saw the hole.
    vgg: VGG16's weights, where a compiled function takes them as an argument; empty:
      the perceptual loss has its own, which are constants of the compiled function.
    clip_strides: all strides with known flow of the clip that the batch is from; their
      number says how many channels of flow a network must generate.
  """

  noise: Float[jax.Array, "N H W C"]
  frames: Float[jax.Array, "N H W 3"]
  hole_mask: Float[jax.Array, "N H W 1"]
  flow: Float[jax.Array, "N-1 H W 2"] | None = None
  flow_hole: Float[jax.Array, "N-1 H W 1"] | None = None
  visible: Float[jax.Array, "N-1 H W 1"] | None = None
  flow_scale: Float[jax.Array, ""] | None = None
  flow_channel: Int[jax.Array, ""] | None = None
  features: tuple[Float[jax.Array, "N _h _w _c"], ...] = ()
  feature_holes: tuple[Float[jax.Array, "N _h _w 1"], ...] = ()
  vgg: Sequence[Mapping[str, AnyArray]] = ()
  clip_strides: Int[jax.Array, " S"] | None = None


class HasStep(Protocol):
  """A training state: a pytree that counts its updates in `step`."""

  @property
  def step(self) -> jax.Array:
    """Scalar int32, updates done."""
