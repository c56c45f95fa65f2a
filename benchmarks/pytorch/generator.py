"""The generator in PyTorch, channels first.

Written only from the method's description; it shares no code with the JAX model that
it is compared with.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (16, 32, 64, 128, 128, 128)
SKIP_CHANNELS = 4
NEGATIVE_SLOPE = 0.2
BATCH_NORM_EPSILON = 1e-5


def pad_border(inputs: torch.Tensor, kernel_size: tuple[int, ...]) -> torch.Tensor:
  """Pads so that a stride-1 convolution keeps the size.

  Space is padded by reflection without repeating the edge pixel, time by replication.

  Args:
    inputs: `[N, C, H, W]` or `[N, C, T, H, W]`.
    kernel_size: `(kh, kw)` or `(kt, kh, kw)`, odd.

  Returns:
    The tensor with `(k - 1) / 2` more elements on each side.
  """
  *time, height, width = [(size - 1) // 2 for size in kernel_size]
  space = (width, width, height, height)
  if any(space):
    inputs = functional.pad(inputs, space + (0, 0) * len(time), mode="reflect")
  if any(time):
    inputs = functional.pad(inputs, (0, 0, 0, 0, time[0], time[0]), mode="replicate")
  return inputs


class ConvBlock(nn.Module):
  """Padding, convolution with bias, BatchNorm, LeakyReLU(0.2)."""

  def __init__(
    self, in_channels: int, out_channels: int, kernel: int, *, stride: int, ndim: int
  ):
    """Builds one block.

    Args:
      in_channels: channels of the input.
      out_channels: channels of the output.
      kernel: spatial size; in 3D the temporal size is 3, or 1 if the kernel is 1.
      stride: spatial stride; time is never strided.
      ndim: 2 or 3.
    """
    super().__init__()
    self.kernel_size: tuple[int, ...] = (kernel, kernel)
    strides: tuple[int, ...] = (stride, stride)
    if ndim == 3:
      self.kernel_size = (min(kernel, 3), *self.kernel_size)
      strides = (1, *strides)
    convolution: Callable[..., nn.Module] = nn.Conv2d if ndim == 2 else nn.Conv3d
    self.conv = convolution(in_channels, out_channels, self.kernel_size, strides)
    self.norm = batch_norm(out_channels, ndim)

  def forward(self, inputs: torch.Tensor) -> torch.Tensor:
    """`[N, C, (T,) H, W]` to `[N, out_channels, (T,) H / stride, W / stride]`."""
    outputs = self.norm(self.conv(pad_border(inputs, self.kernel_size)))
    return functional.leaky_relu(outputs, NEGATIVE_SLOPE)


def batch_norm(channels: int, ndim: int) -> nn.Module:
  """BatchNorm on the batch's own statistics, also in inference."""
  norm: Callable[..., nn.Module] = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
  return norm(channels, eps=BATCH_NORM_EPSILON, track_running_stats=False)


class Level(nn.Module):
  """One level: the skip, two convolutions down and two up around the level below."""

  def __init__(
    self,
    in_channels: int,
    channels: int,
    below: int,
    *,
    ndim: int,
    second_kernel: int = 1,
  ):
    """Builds a level of `channels`; the level below returns `below` channels."""
    super().__init__()
    self.ndim = ndim
    self.skip = ConvBlock(in_channels, SKIP_CHANNELS, 1, stride=1, ndim=ndim)
    self.down = ConvBlock(in_channels, channels, 5, stride=2, ndim=ndim)
    self.refine = ConvBlock(channels, channels, 5, stride=1, ndim=ndim)
    self.concat_norm = batch_norm(SKIP_CHANNELS + below, ndim)
    self.up = ConvBlock(SKIP_CHANNELS + below, channels, 3, stride=1, ndim=ndim)
    self.mix = ConvBlock(channels, channels, second_kernel, stride=1, ndim=ndim)

  def descend(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the skip branch at full size and the deep branch at half size."""
    return self.skip(inputs), self.refine(self.down(inputs))

  def ascend(self, skip: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
    """Upsamples the deep branch and merges it with the skip, at the skip's size."""
    scale = (2.0, 2.0) if self.ndim == 2 else (1.0, 2.0, 2.0)
    deep = functional.interpolate(deep, scale_factor=scale, mode="nearest")
    return self.mix(self.up(self.concat_norm(torch.cat([skip, deep], dim=1))))


class EncoderDecoder(nn.Module):
  """The encoder-decoder with skips, with PyTorch's default initialisation.

  Attributes:
    levels: the `Level`s, from the full size down.
    head: 1x1 convolution to the raw outputs; no activation.
  """

  levels: Any  # an `nn.ModuleList`, which has no type for its elements

  def __init__(
    self,
    levels: int = 6,
    out_channels: int = 15,
    *,
    ndim: int = 2,
    second_kernel: int = 1,
  ):
    """Builds the network.

    Args:
      levels: 1 to 6; the size must be a multiple of `2 ** levels`.
      out_channels: 15 with the flow head (image 3, flow 12), 3 without.
      ndim: 2 for frames, 3 for one volume.
      second_kernel: of a level's second convolution up: 1, or 3 as the paper says.
    """
    super().__init__()
    self.ndim = ndim
    channels = CHANNELS[:levels]
    inputs = (1, *channels[:-1])
    below = (*channels[1:], channels[-1])
    self.levels = nn.ModuleList(
      Level(*sizes, ndim=ndim, second_kernel=second_kernel)
      for sizes in zip(inputs, channels, below, strict=True)
    )
    head: Callable[..., nn.Module] = nn.Conv2d if ndim == 2 else nn.Conv3d
    self.head = head(channels[0], out_channels, 1)

  def forward(self, noise: torch.Tensor) -> torch.Tensor:
    """Raw head outputs, before the sigmoid.

    Args:
      noise: `[N, 1, H, W]`, or `[B, 1, N, H, W]` with `ndim=3`.

    Returns:
      `[N, out_channels, H, W]` or `[B, out_channels, N, H, W]`.
    """
    skips, deep = [], noise
    for level in self.levels:
      skip, deep = level.descend(deep)
      skips.append(skip)
    for level, skip in zip(reversed(self.levels), reversed(skips), strict=True):
      deep = level.ascend(skip, deep)
    return self.head(deep)


def generate(model: EncoderDecoder, noise: torch.Tensor) -> torch.Tensor:
  """Runs the 2D or the 3D network on a batch of frames.

  Args:
    model: the network; with `ndim=3` the N frames become one volume.
    noise: `[N, 1, H, W]`.

  Returns:
    `[N, out_channels, H, W]` raw head outputs.
  """
  if model.ndim == 2:
    return model(noise)
  return model(noise.transpose(0, 1)[None])[0].transpose(0, 1)
