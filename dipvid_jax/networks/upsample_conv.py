"""Nearest upsampling and the convolution after it, fused.

The upsampled map is never stored. Under a 3x3 kernel each of a pixel's four copies
sees only 2x2 different pixels, so the kernel's taps on the same pixel are summed
first: 4/9 of the products, on maps of a quarter of the size.
"""

import itertools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from dipvid_jax.networks.conv import convolve

_PHASES = tuple(itertools.product((0, 1), repeat=2))  # (row, column) within a pixel


def upsample_convolve(
  x: Float[jax.Array, "N *size I"], kernel: Float[jax.Array, "*window I O"]
) -> Float[jax.Array, "N *new_size O"]:
  """Doubles height and width by nearest upsampling, then convolves with padding.

  The padding keeps the size: space is reflected, time replicated.

  Args:
    x: `[N, H, W, I]` or `[N, D, H, W, I]` float.
    kernel: `[3, 3, I, O]` or `[3, 3, 3, I, O]` float.

  Returns:
    `[N, 2H, 2W, O]`, or with D.

  Raises:
    ValueError: the kernel is not 3 wide or the channels disagree (raised while
      tracing).
  """
  if kernel.ndim != x.ndim or set(kernel.shape[:-2]) != {3}:
    raise ValueError(f"upsample_convolve needs a 3x3 kernel, got {kernel.shape}")
  # The reflection of an upsampled map repeats its border's pixels.
  around = [(0, 0), *[(1, 1)] * (x.ndim - 2), (0, 0)]
  phases = [
    _sum_taps(_sum_taps(kernel, row, -4), column, -3) for row, column in _PHASES
  ]
  y = convolve(
    jnp.pad(x, around, mode="edge"),
    jnp.concatenate(phases, axis=-1),
    strides=(1,) * (x.ndim - 2),
  )
  frames = y.reshape(-1, *y.shape[-3:])
  doubled = _interleave(frames)
  return doubled.reshape(*x.shape[:-3], *doubled.shape[1:])


def _sum_taps(kernel: jax.Array, phase: int, axis: int) -> jax.Array:
  """A kernel's three taps as two: those on the same pixel are summed."""
  first, middle, last = (
    lax.slice_in_dim(kernel, tap, tap + 1, axis=axis) for tap in range(3)
  )
  taps = (first, middle + last) if phase == 0 else (first + middle, last)
  return jnp.concatenate(taps, axis=axis)


@jax.custom_vjp
def _interleave(y: jax.Array) -> jax.Array:
  """`[N, H + 1, W + 1, 4 O]` of four phases, one per corner: `[N, 2H, 2W, O]`."""
  count, height, width, channels = y.shape
  height, width, channels = height - 1, width - 1, channels // 4
  corners = [
    y[:, row : row + height, column : column + width, i * channels : (i + 1) * channels]
    for i, (row, column) in enumerate(_PHASES)
  ]
  pixels = jnp.stack(corners, axis=3).reshape(count, height, width, 2, 2, channels)
  doubled = jnp.swapaxes(pixels, 2, 3)
  return doubled.reshape(count, 2 * height, 2 * width, channels)


def _interleave_forward(y: jax.Array) -> tuple[jax.Array, None]:
  return _interleave(y), None


def _interleave_backward(_: None, cotangent: jax.Array) -> tuple[jax.Array]:
  """Written out because JAX would sum four padded maps of all phases."""
  corners = [
    jnp.pad(
      cotangent[:, row::2, column::2],
      [(0, 0), (row, 1 - row), (column, 1 - column), (0, 0)],
    )
    for row, column in _PHASES
  ]
  return (jnp.concatenate(corners, axis=-1),)


_interleave.defvjp(_interleave_forward, _interleave_backward)
