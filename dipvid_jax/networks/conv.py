"""Convolution whose gradients stay fast inside `lax.scan` on the CPU.

XLA:CPU has a fast convolution only for the canonical layout (NHWC, HWIO, no
reversal), and inside a loop it no longer rewrites other layouts into it: JAX's own
gradient convolutions then fall to a naive loop nest, two hundred times slower
(jax-ml/jax issue 12868). Here both gradients are written as canonical convolutions.

Other platforms get JAX's own gradients. The platform that a program is lowered for
decides, so that an exported program of several platforms has the form of each.

A gradient that is written out has no forward mode: `jax.jvp` and `jax.jacfwd` of a
convolution end in JAX's TypeError about a `custom_vjp`. Second derivatives are reverse
over reverse.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

_Widths = Sequence[tuple[int, int]]
_Gradient = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
_LAYOUTS = {4: ("NHWC", "HWIO", "NHWC"), 5: ("NDHWC", "DHWIO", "NDHWC")}


def convolve(
  x: Float[jax.Array, "N *size I"],
  kernel: Float[jax.Array, "*window I O"],
  *,
  strides: Sequence[int],
  zero_padding: int = 0,
) -> Float[jax.Array, "N *new_size O"]:
  """Convolution (cross-correlation), channels last.

  Args:
    x: `[N, H, W, I]` or `[N, D, H, W, I]` float.
    kernel: `[h, w, I, O]` or `[d, h, w, I, O]` float.
    strides: one step for each spatial axis.
    zero_padding: zeros on both sides of each spatial axis, less than the kernel.

  Returns:
    `[N, H', W', O]` (or with D'), with H' = (H + 2 zero_padding - h) // stride + 1.

  Raises:
    ValueError: ranks, channels or strides disagree (raised while tracing).
  """
  spatial = x.ndim - 2
  if x.ndim not in _LAYOUTS or kernel.ndim != x.ndim or len(strides) != spatial:
    raise ValueError(
      f"convolve needs x and kernel of equal rank 4 or 5 and a stride for each "
      f"spatial axis, got {x.shape}, {kernel.shape}, {tuple(strides)}"
    )
  if x.shape[-1] != kernel.shape[-2]:
    raise ValueError(
      f"convolve: x has {x.shape[-1]} channels, the kernel takes {kernel.shape[-2]}"
    )
  strides = tuple(strides)
  if all(size == 1 for size in (*kernel.shape[:spatial], *strides)):
    return x @ kernel.reshape(kernel.shape[-2:])
  return _convolve(*_varying_alike(x, kernel), strides, zero_padding)


def _varying_alike(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The same arrays, and in `jax.shard_map` both vary over the axes of either.

  A custom gradient must vary over the axes of its argument, and that of a kernel which
  all devices share does so only after a sum over them. JAX adds the sum where an
  operation meets the two: here a padding by no pixels, which XLA removes.
  """

  def meet(array: jax.Array, other: jax.Array) -> jax.Array:
    value = lax.stop_gradient(other[(0,) * other.ndim])
    return lax.pad(array, value, [(0, 0, 0)] * array.ndim)

  return meet(x, kernel), meet(kernel, x)


def _forward(
  x: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: int | _Widths,
  *,
  lhs_dilation: Sequence[int] | None = None,
  rhs_dilation: Sequence[int] | None = None,
) -> jax.Array:
  if isinstance(padding, int):
    padding = [(padding, padding)] * len(strides)
  return lax.conv_general_dilated(
    x,
    kernel,
    window_strides=strides,
    padding=padding,
    lhs_dilation=lhs_dilation,
    rhs_dilation=rhs_dilation,
    dimension_numbers=_LAYOUTS[x.ndim],
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(
  x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: int
) -> jax.Array:
  def forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _forward(x, kernel, strides, padding)

  def by_images(x: jax.Array, kernel: jax.Array) -> jax.Array:
    images = _side_by_side(x, kernel.shape[0], padding)
    y = _forward(images, _flat(kernel), strides[1:], padding)
    return y.reshape(len(x), -1, *y.shape[1:])

  if not _is_by_images(strides):
    return forward(x, kernel)
  return lax.platform_dependent(x, kernel, cpu=by_images, default=forward)


def _is_by_images(strides: Sequence[int]) -> bool:
  """Whether a CPU runs a 3D convolution as a 2D one, for which XLA:CPU is fast."""
  return len(strides) == 3 and strides[0] == 1


def _side_by_side(x: jax.Array, taps: int, padding: int) -> jax.Array:
  """`[N, D, H, W, I]` as images `[N D', H, W, taps I]` of neighbouring frames."""
  x = jnp.pad(x, [(0, 0), (padding, padding), (0, 0), (0, 0), (0, 0)])
  count = x.shape[1] - taps + 1
  x = jnp.concatenate([x[:, k : k + count] for k in range(taps)], axis=-1)
  return x.reshape(-1, *x.shape[2:])


def _flat(kernel: jax.Array) -> jax.Array:
  """`[taps, h, w, I, O]` for such images: `[h, w, taps I, O]`."""
  kernel = jnp.moveaxis(kernel, 0, 2)
  return kernel.reshape(*kernel.shape[:2], -1, kernel.shape[-1])


def _convolve_forward(
  x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _convolve(x, kernel, strides, padding), (x, kernel)


def _convolve_backward(
  strides: tuple[int, ...],
  padding: int,
  residuals: tuple[jax.Array, jax.Array],
  cotangent: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Each gradient on its own, so that one which nobody asks for is not computed."""
  canonical = _image_gradients if _is_by_images(strides) else _canonical_gradients
  x_gradient, kernel_gradient = (
    lax.platform_dependent(*residuals, cotangent, cpu=on_cpu, default=elsewhere)
    for on_cpu, elsewhere in zip(
      canonical(strides, padding), _jax_gradients(strides, padding), strict=True
    )
  )
  return x_gradient, kernel_gradient


_convolve.defvjp(_convolve_forward, _convolve_backward)


def _jax_gradients(strides: tuple[int, ...], padding: int) -> tuple[_Gradient, ...]:
  def of_input(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    (gradient,) = jax.linear_transpose(
      lambda x: _forward(x, kernel, strides, padding), x
    )(cotangent)
    return gradient

  def of_kernel(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    (gradient,) = jax.linear_transpose(
      lambda kernel: _forward(x, kernel, strides, padding), kernel
    )(cotangent)
    return gradient

  return of_input, of_kernel


def _canonical_gradients(
  strides: tuple[int, ...], padding: int
) -> tuple[_Gradient, ...]:
  def of_input(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    return _input_gradient(cotangent, kernel, strides, padding, x.shape)

  def of_kernel(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    return _kernel_gradient(cotangent, x, strides, padding, kernel.shape)

  return of_input, of_kernel


def _image_gradients(strides: tuple[int, ...], padding: int) -> tuple[_Gradient, ...]:
  """Those of a 3D convolution that is one of images."""
  by_input, by_kernel = _canonical_gradients(strides[1:], padding)

  def of_input(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    images, spread = jax.vjp(lambda x: _side_by_side(x, len(kernel), padding), x)
    (gradient,) = spread(by_input(images, _flat(kernel), _images(cotangent)))
    return gradient

  def of_kernel(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> jax.Array:
    flat, unflatten = jax.vjp(_flat, kernel)
    images = _side_by_side(x, len(kernel), padding)
    (gradient,) = unflatten(by_kernel(images, flat, _images(cotangent)))
    return gradient

  return of_input, of_kernel


def _images(frames: jax.Array) -> jax.Array:
  """`[N, D, H, W, O]` as `[N D, H, W, O]`."""
  return frames.reshape(-1, *frames.shape[2:])


def _input_gradient(
  cotangent: jax.Array,
  kernel: jax.Array,
  strides: tuple[int, ...],
  padding: int,
  input_shape: tuple[int, ...],
) -> jax.Array:
  """The cotangent, dilated by the strides, convolved with the flipped kernel."""
  axes = range(len(strides))
  flipped = jnp.swapaxes(jnp.flip(kernel, axis=tuple(axes)), -1, -2)
  full = [kernel.shape[i] - 1 - padding for i in axes]
  # The last rows, which no strided window covers, have a zero gradient.
  left_over = [
    (input_shape[1 + i] + 2 * padding - kernel.shape[i]) % strides[i] for i in axes
  ]
  widths = [(low, low + rest) for low, rest in zip(full, left_over, strict=True)]
  ones = (1,) * len(strides)
  if math.prod(cotangent.shape[1:-1]) >= math.prod(kernel.shape[: len(strides)]):
    return _forward(cotangent, flipped, ones, widths, lhs_dilation=strides)
  # XLA would swap a map with a larger kernel, which is no longer the canonical form:
  # the barrier hides that the map is dilated.
  dilated = [(*width, step - 1) for width, step in zip(widths, strides, strict=True)]
  edges = [(0, 0, 0), *dilated, (0, 0, 0)]
  cotangent = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), edges)
  return _forward(lax.optimization_barrier(cotangent), flipped, ones, 0)


def _kernel_gradient(
  cotangent: jax.Array,
  x: jax.Array,
  strides: tuple[int, ...],
  padding: int,
  kernel_shape: tuple[int, ...],
) -> jax.Array:
  """The input convolved with the cotangent, batch and channel axes swapped."""
  inputs = jnp.swapaxes(x, 0, -1)  # [I, H, W, N]
  filters = jnp.moveaxis(cotangent, 0, -2)  # [H', W', N, O]
  ones = (1,) * len(strides)
  gradient = _forward(inputs, filters, ones, padding, rhs_dilation=strides)
  crop = tuple(slice(0, size) for size in kernel_shape[: len(strides)])
  return jnp.moveaxis(gradient[(slice(None), *crop)], 0, -2)  # from [I, h, w, O]
