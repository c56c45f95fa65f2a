"""PWC-Net: optical flow from feature pyramids, warping and cost volumes.

Sun et al., CVPR 2018 (arXiv:1709.02371), the variant with dense connections and the
dilated context network. Level l has 1 / 2^l of the frame's size; its flow is in
units of 20 pixels of the frame.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from flow.pwcnet.correlation import cost_volume
from flow.warp import backward_warp

Precision = str | jax.lax.Precision | None

ENCODER_CHANNELS = (16, 32, 64, 96, 128, 196)
"""Feature channels of levels 1 .. 6."""

DECODER_CHANNELS = (128, 128, 96, 64, 32)
"""Channels that each dense convolution of a decoder adds."""

CONTEXT_CHANNELS = (128, 128, 128, 96, 64, 32)
CONTEXT_DILATIONS = (1, 2, 4, 8, 16, 1)

VARIANTS: dict[str, dict[str, tuple[int, ...]]] = {
  "full": {},
  "small": {
    "encoder_channels": (16, 24, 32, 48, 64, 96),
    "decoder_channels": (64, 48, 48, 32, 16),
    "context_channels": (64, 64, 64, 48, 32, 16),
  },
}
"""Attributes of `PWCNet` by variant: `full` is the published one, `small` has the same
connections and 2,649,918 parameters."""

COARSEST_LEVEL = 6
FINEST_LEVEL = 2

FLOW_UNIT = 20.0
"""Pixels of the frame in one unit of a level's flow."""

SIZE_MULTIPLE = 2**COARSEST_LEVEL
"""Frames are resized to multiples of this, in pixels."""

_NEGATIVE_SLOPE = 0.1


class _Conv(nn.Module):
  """3x3 convolution, zero padding that keeps the size, LeakyReLU unless `linear`."""

  features: int
  stride: int = 1
  dilation: int = 1
  linear: bool = False
  precision: Precision = None
  dtype: DTypeLike | None = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    # Explicit padding: "SAME" would pad a strided convolution on the other side.
    x = nn.Conv(
      self.features,
      kernel_size=(3, 3),
      strides=self.stride,
      kernel_dilation=self.dilation,
      padding=self.dilation,
      precision=self.precision,
      dtype=self.dtype,
      name="conv",
    )(x)
    return x if self.linear else nn.leaky_relu(x, _NEGATIVE_SLOPE)


class _Encoder(nn.Module):
  """The feature pyramid of one frame."""

  channels: Sequence[int] = ENCODER_CHANNELS
  dtype: DTypeLike | None = None
  precision: Precision = None

  @nn.compact
  def __call__(self, image: jax.Array) -> list[jax.Array]:
    """Maps `[B, H, W, 3]` to six maps `[B, H / 2^l, W / 2^l, C_l]`, l = 1 .. 6."""
    features = []
    x = image
    for level, channels in enumerate(self.channels, start=1):
      for index in range(3):
        x = _Conv(
          channels,
          stride=2 if index == 0 else 1,
          precision=self.precision,
          dtype=self.dtype,
          name=f"level{level}_{index}",
        )(x)
      features.append(x)
    return features


class _Decoder(nn.Module):
  """Flow of one level, from its two feature maps and the coarser level's result."""

  level: int
  channels: Sequence[int] = DECODER_CHANNELS
  # Of the dense convolutions; flow keeps the dtype of the parameters.
  dtype: DTypeLike | None = None
  precision: Precision = None

  def _upsample(self, x: jax.Array, name: str) -> jax.Array:
    # For stride 2 and a 4x4 kernel, lax's "SAME" pads the dilated input by 2 on each
    # side, which is PyTorch's padding=1.
    return nn.ConvTranspose(
      2, (4, 4), strides=(2, 2), padding="SAME", precision=self.precision, name=name
    )(x)

  @nn.compact
  def __call__(
    self,
    first: jax.Array,
    second: jax.Array,
    coarser: tuple[jax.Array, jax.Array] | None,
  ) -> tuple[jax.Array, jax.Array]:
    """Estimates one level's flow.

    Args:
      first: `[B, h, w, C]` features of the first frame.
      second: `[B, h, w, C]` features of the second frame.
      coarser: the next level's result, `[B, h / 2, w / 2, .]` each, or None at
        the coarsest.

    Returns:
      `(flow, dense)`: `[B, h, w, 2]` in units of 20 pixels of the frame, and the
      dense features `[B, h, w, .]` it is computed from.
    """
    if coarser is None:
      x = nn.leaky_relu(cost_volume(first, second), _NEGATIVE_SLOPE)
    else:
      upflow = self._upsample(coarser[0], "upflow")
      upfeat = self._upsample(coarser[1], "upfeat")
      # Units of 20 frame pixels -> pixels of this level's map.
      warped, in_bounds = backward_warp(second, upflow * (FLOW_UNIT / 2**self.level))
      volume = cost_volume(first, warped * in_bounds)
      volume = nn.leaky_relu(volume, _NEGATIVE_SLOPE)
      x = jnp.concatenate([volume, first, upflow, upfeat], axis=-1)
    x = x if self.dtype is None else x.astype(self.dtype)
    for index, channels in enumerate(self.channels):
      new = _Conv(
        channels,
        precision=self.precision,
        dtype=self.dtype,
        name=f"dense_{index}",
      )(x)
      x = jnp.concatenate([new, x], axis=-1)
    flow = _Conv(2, linear=True, precision=self.precision, name="flow")(x)
    return flow, x


class _ContextNetwork(nn.Module):
  """Dilated convolutions that refine the flow of the finest level."""

  channels: Sequence[int] = CONTEXT_CHANNELS
  dtype: DTypeLike | None = None
  precision: Precision = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps dense features `[B, h, w, .]` to a flow correction `[B, h, w, 2]`."""
    layers = zip(self.channels, CONTEXT_DILATIONS, strict=True)
    for index, (channels, dilation) in enumerate(layers):
      x = _Conv(
        channels,
        dilation=dilation,
        precision=self.precision,
        dtype=self.dtype,
        name=f"context_{index}",
      )(x)
    return _Conv(2, linear=True, precision=self.precision, name="flow")(x)


class PWCNet(nn.Module):
  """PWC-Net, 9,374,274 parameters: the optical flow from one frame to another.

  Use `init(key, first, second)` and `apply(variables, first, second)`; wrap `apply` in
  `jax.jit`, which compiles once for each size. `apply(.., method="levels")` returns
  the flow of every level, for training.

  Attributes:
    encoder_channels: of levels 1 .. 6. All defaults are the paper's; `VARIANTS` has
      others.
    decoder_channels: channels that each dense convolution of a decoder adds.
    context_channels: of the context network.
    dtype: of the features and the convolutions on them, for example bfloat16 in
      training; None for the dtype of params and frames. Flow is never rounded to it.
    precision: of the convolutions, as in `jax.lax.conv_general_dilated`. The default
      keeps float32 on accelerators that would otherwise round the inputs to TF32 or
      bfloat16, which changes flow by more than 1e-3 pixels.

  Reference: Sun et al., CVPR 2018.
  """

  encoder_channels: Sequence[int] = ENCODER_CHANNELS
  decoder_channels: Sequence[int] = DECODER_CHANNELS
  context_channels: Sequence[int] = CONTEXT_CHANNELS
  dtype: DTypeLike | None = None
  precision: Precision = jax.lax.Precision.HIGHEST

  def __call__(self, first: jax.Array, second: jax.Array) -> jax.Array:
    """Estimates the flow from `first` to `second`.

    Args:
      first: `[B, H, W, 3]` float, RGB in [0, 1], any size.
      second: `[B, H, W, 3]` float, RGB in [0, 1], same shape.

    Returns:
      `[B, H, W, 2]` (dx, dy) in pixels.

    Raises:
      ValueError: the shapes disagree (raised while tracing).
    """
    finest = self.levels(first, second)[-1]
    height, width = first.shape[1:3]
    work_height, work_width = _work_size(height, width)
    flow = _resize(finest * FLOW_UNIT, height, width)
    scale = jnp.array([width / work_width, height / work_height], flow.dtype)
    return flow * scale[None, None, None, :]

  @nn.compact
  def levels(self, first: jax.Array, second: jax.Array) -> list[jax.Array]:
    """Estimates the flow at every level of the pyramid.

    Args:
      first: as in `__call__`.
      second: as in `__call__`.

    Returns:
      Levels 6, 5, 4, 3, 2, the last refined by the context network:
      `[B, H' / 2^l, W' / 2^l, 2]` in units of 20 pixels, of the frames resized to
      H' x W', the next multiples of 64.

    Raises:
      ValueError: the shapes disagree (raised while tracing).
    """
    if first.ndim != 4 or first.shape[-1] != 3 or first.shape != second.shape:
      raise ValueError(
        f"PWCNet needs two [B, H, W, 3] arrays of one shape, "
        f"got {first.shape} and {second.shape}"
      )
    work_size = _work_size(*first.shape[1:3])
    dtype, precision = self.dtype, self.precision
    encoder = _Encoder(self.encoder_channels, dtype, precision, name="encoder")
    first_features, second_features = (
      # RGB -> BGR: the published weights were trained on OpenCV's channel order.
      encoder(_resize(image[..., ::-1], *work_size))
      for image in (first, second)
    )
    flows: list[jax.Array] = []
    result = None
    for level in range(COARSEST_LEVEL, FINEST_LEVEL - 1, -1):
      decoder = _Decoder(
        level, self.decoder_channels, dtype, precision, name=f"decoder{level}"
      )
      result = decoder(first_features[level - 1], second_features[level - 1], result)
      flows.append(result[0])
    assert result is not None  # for the type checker: there are levels
    context = _ContextNetwork(self.context_channels, dtype, precision, name="context")
    flows[-1] += context(result[1])
    return flows


def make_network(
  variant: str,
  *,
  dtype: DTypeLike | None = None,
  precision: Precision = jax.lax.Precision.HIGHEST,
) -> PWCNet:
  """Makes a variant of the network.

  Args:
    variant: of `VARIANTS`.
    dtype: see `PWCNet`.
    precision: see `PWCNet`.

  Returns:
    The network.
  """
  return PWCNet(dtype=dtype, precision=precision, **VARIANTS[variant])  # type: ignore[arg-type]


def _work_size(height: int, width: int) -> tuple[int, int]:
  """The next multiples of 64."""
  return (
    -(-height // SIZE_MULTIPLE) * SIZE_MULTIPLE,
    -(-width // SIZE_MULTIPLE) * SIZE_MULTIPLE,
  )


def _resize(image: jax.Array, height: int, width: int) -> jax.Array:
  """Resizes `[B, H, W, C]` bilinearly: half-pixel centres, no antialiasing."""
  shape = (image.shape[0], height, width, image.shape[-1])
  return jax.image.resize(image, shape, "bilinear", antialias=False)
