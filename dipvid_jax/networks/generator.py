"""The generator: an encoder-decoder from fixed noise to frames and flow."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from dipvid_jax.networks.conv import convolve
from dipvid_jax.networks.upsample_conv import upsample_convolve
from dipvid_jax.types import Outputs
from flow.types import at_least_float32

CHANNELS = (16, 32, 64, 128, 128, 128)
_SKIP_CHANNELS = 4
_LEAKY_SLOPE = 0.2
_BATCH_NORM_EPSILON = 1e-5


class BatchNorm(nn.Module):
  """Normalises each channel by the batch's own statistics, always.

  There are no running averages: the method uses the batch's mean and biased
  variance in inference too. Statistics are computed in float32 at least.

  Attributes:
    random_scale: draw the initial scale from U[0, 1], as PyTorch 1.0.0 did, instead
      of ones.
  """

  random_scale: bool = False

  @nn.compact
  def __call__(
    self, *maps: Float[jax.Array, "N ... _C"]
  ) -> tuple[Float[jax.Array, "N ... _C"], ...]:
    """Normalises maps of any sizes as if their channels were concatenated.

    Args:
      *maps: `[N, .., C]`, C of each; the statistics are over all axes but the last.

    Returns:
      The normalised maps, in the same order.
    """
    scale_init = (
      nn.initializers.uniform(1.0) if self.random_scale else nn.initializers.ones
    )
    channels = [x.shape[-1] for x in maps]
    form = (sum(channels),), at_least_float32(maps[0].dtype)
    scale = self.param("scale", scale_init, *form)
    offset = self.param("bias", nn.initializers.zeros, *form)
    ends = list(itertools.accumulate(channels))[:-1]
    parts = zip(maps, jnp.split(scale, ends), jnp.split(offset, ends), strict=True)
    return tuple(_normalise(*part) for part in parts)


def _normalise(x: jax.Array, scale: jax.Array, offset: jax.Array) -> jax.Array:
  axes, given = tuple(range(x.ndim - 1)), x.dtype
  x, scale, offset = (a.astype(at_least_float32(given)) for a in (x, scale, offset))
  mean = jnp.mean(x, axis=axes)
  # Centred first: a mean folded into the offset loses precision where it is many times
  # the deviation, as after the first convolutions.
  centred = x - mean.reshape(_broadcast(x))
  variance = jnp.mean(jnp.square(centred), axis=axes)
  factor = scale * jax.lax.rsqrt(variance + _BATCH_NORM_EPSILON)
  y = centred * factor.reshape(_broadcast(x)) + offset.reshape(_broadcast(x))
  return y.astype(given)


def _broadcast(x: jax.Array) -> tuple[int, ...]:
  """The shape of a vector of channels that meets `x` without rank promotion."""
  return (1,) * (x.ndim - 1) + (x.shape[-1],)


_Initializer = Callable[..., jax.Array]


def _initializers(name: str, fan_in: int) -> tuple[_Initializer, _Initializer]:
  """Of a convolution's kernel and bias; see `EncoderDecoder`."""
  bound = 1 / math.sqrt(fan_in)

  def uniform(
    key: PRNGKeyArray, shape: Sequence[int], dtype: Any = jnp.float32
  ) -> jax.Array:
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  if name == "pytorch":
    return uniform, uniform
  return nn.initializers.normal(bound), nn.initializers.zeros


class Conv(nn.Module):
  """Convolution with bias; space is padded by reflection, time by replication.

  Attributes:
    features: output channels.
    kernel_size: odd sizes, (height, width) or (time, height, width).
    strides: one for each spatial axis; None means ones.
    initialization: see `EncoderDecoder`.
  """

  features: int
  kernel_size: Sequence[int]
  strides: Sequence[int] | None = None
  initialization: str = "pytorch"

  @nn.compact
  def __call__(
    self,
    x: Float[jax.Array, "N ... H W I"],
    upsampled: Float[jax.Array, "N ... H//2 W//2 J"] | None = None,
  ) -> Float[jax.Array, "N ... {self.features}"]:
    """Convolves a map, or two with their channels concatenated.

    Args:
      x: `[N, .., H, W, I]`.
      upsampled: `[N, .., H / 2, W / 2, J]`, is upsampled (nearest) and its channels
        follow those of `x`; for kernels of 3 and stride 1.

    Returns:
      `[N, .., H / stride, W / stride, features]`.
    """
    sizes = tuple(self.kernel_size)
    own = x.shape[-1]
    channels = own + (0 if upsampled is None else upsampled.shape[-1])
    of_kernel, of_bias = _initializers(self.initialization, math.prod(sizes) * channels)
    kept = at_least_float32(x.dtype)
    kernel = self.param("kernel", of_kernel, (*sizes, channels, self.features), kept)
    bias = self.param("bias", of_bias, (self.features,), kept)
    kernel, bias = kernel.astype(x.dtype), bias.astype(x.dtype)
    strides = tuple(self.strides or (1,) * len(sizes))
    y = convolve(_pad(x, sizes), kernel[..., :own, :], strides=strides)
    if upsampled is not None:
      y += upsample_convolve(upsampled, kernel[..., own:, :])
    return y + bias.reshape(_broadcast(y))


def _pad(x: jax.Array, kernel_size: tuple[int, ...]) -> jax.Array:
  """Keeps the size under a stride-1 convolution: reflection, replication in time."""
  widths = [(size // 2, size // 2) for size in kernel_size]
  space = [(0, 0)] * (x.ndim - 3) + widths[-2:] + [(0, 0)]
  if widths[-1][0] or widths[-2][0]:
    x = jnp.pad(x, space, mode="reflect")
  if len(widths) == 3 and widths[0][0]:
    x = jnp.pad(x, [(0, 0), widths[0], (0, 0), (0, 0), (0, 0)], mode="edge")
  return x


class ConvBlock(nn.Module):
  """Convolution, batch normalisation, leaky ReLU (0.2)."""

  features: int
  kernel_size: Sequence[int]
  strides: Sequence[int] | None = None
  random_scale: bool = False
  initialization: str = "pytorch"

  @nn.compact
  def __call__(
    self,
    x: Float[jax.Array, "N ... H W I"],
    upsampled: Float[jax.Array, "N ... H//2 W//2 J"] | None = None,
  ) -> Float[jax.Array, "N ... {self.features}"]:
    """As `Conv`."""
    form = self.features, self.kernel_size, self.strides, self.initialization
    x = Conv(*form, name="conv")(x, upsampled)
    (x,) = BatchNorm(self.random_scale, name="norm")(x)
    return nn.leaky_relu(x, _LEAKY_SLOPE)


class EncoderDecoder(nn.Module):
  """Maps fixed noise to frames and, optionally, to flow.

  Each level has a 4-channel skip, two 5x5 convolutions down (the first with stride
  2), nearest upsampling, and a 3x3 and a 1x1 convolution up. With `temporal=True`
  the kernels are (3, 5, 5), (3, 3, 3) and (1, 1, 1) and the N frames of a batch are
  one volume (DIP-Vid-3DCN).

  It computes in the type of the noise; its parameters are float32 at least. It has
  reverse-mode derivatives of any order, but no forward mode (see `networks.conv`).

  Attributes:
    flow_channels: 2 for each stride and direction, in the order f1 b1 f3 b3 f5 b5;
      0 for a network of frames only.
    levels: how many times the size is halved, up to 6.
    temporal: 3D convolutions.
    random_scale: see `BatchNorm`.
    second_kernel: of a level's second convolution up: 1 in the authors' program, 3 in
      the paper.
    initialization: `pytorch`: kernels and biases uniform on +-1/sqrt(fan_in), as in
      the authors' program; `lecun`: kernels normal with deviation 1/sqrt(fan_in),
      biases 0, as LeCun et al. (Efficient BackProp), whom the paper names.

  Reference: Zhang et al., ICCV 2019, section 3.3 and supplement, and the authors'
  program.
  """

  flow_channels: int = 0
  levels: int = len(CHANNELS)
  temporal: bool = False
  random_scale: bool = False
  second_kernel: int = 1
  initialization: str = "pytorch"

  def _block(
    self, features: int, space: int, *, strides: int = 1, time: int = 1, name: str
  ) -> ConvBlock:
    kernel: Sequence[int] = (space, space)
    steps: Sequence[int] = (strides, strides)
    if self.temporal:
      kernel, steps = (time, *kernel), (1, *steps)
    form = features, kernel, steps, self.random_scale, self.initialization
    return ConvBlock(*form, name=name)

  @nn.compact
  def __call__(self, noise: Float[jax.Array, "N ... _C"]) -> Outputs:
    """Runs the network on a batch of frames.

    Args:
      noise: `[N, H, W, C]` float; H and W multiples of 2**levels, and large enough
        that the deepest map exceeds the padding of 2.

    Returns:
      `Outputs`: image `[N, H, W, 3]` in (0, 1), flow `[N, H, W, flow_channels]` in
      network units (pixels / flow_scale).

    Raises:
      ValueError: rank or size do not fit (raised while tracing).
    """
    _check_size(noise.shape, self.levels)
    channels, second = CHANNELS[: self.levels], self.second_kernel
    h = noise[None] if self.temporal else noise
    skips = []
    for i, features in enumerate(channels):
      skips.append(self._block(_SKIP_CHANNELS, 1, name=f"skip_{i}")(h))
      h = self._block(features, 5, strides=2, time=3, name=f"down_{i}_a")(h)
      h = self._block(features, 5, time=3, name=f"down_{i}_b")(h)
    for i, features in reversed(list(enumerate(channels))):
      # Upsampling changes no statistics: the map is normalised before it.
      skip, h = BatchNorm(self.random_scale, name=f"merge_{i}")(skips[i], h)
      h = self._block(features, 3, time=3, name=f"up_{i}_a")(skip, h)
      h = self._block(features, second, time=second, name=f"up_{i}_b")(h)
    h = h[0] if self.temporal else h
    heads = Conv(
      3 + self.flow_channels, (1, 1), initialization=self.initialization, name="heads"
    )(h)
    return Outputs(image=nn.sigmoid(heads[..., :3]), flow=heads[..., 3:])


def _check_size(shape: tuple[int, ...], levels: int) -> None:
  if not 1 <= levels <= len(CHANNELS):
    raise ValueError(f"levels must be 1 to {len(CHANNELS)}, got {levels}")
  if len(shape) != 4:
    raise ValueError(f"the noise must be [N, H, W, C], got {shape}")
  step = 2**levels
  if any(size % step or size // step < 3 for size in shape[1:3]):
    raise ValueError(
      f"{levels} levels need H and W to be multiples of {step} and at least "
      f"{3 * step}, got {shape[1]} x {shape[2]}"
    )
