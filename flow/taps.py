"""Pixels taken by their index, and the sums over them that are their gradient.

The gradient adds each cotangent to the pixel that was taken: a scatter, which a GPU
does by atomic additions, in any order. Pixels that many cotangents meet are slow,
above all with JAX 0.10.2 and 0.11.0 (jax-ml/jax issue 38806). So taps outside the frame
are dropped, where clipping would pile them up on the border.
"""

import os
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

# XLA then runs a scatter on a GPU as a loop, one addition after another.
_DETERMINISTIC = {
  "--xla_gpu_deterministic_ops=true",
  "--xla_gpu_exclude_nondeterministic_ops=true",
}
_TAKE = lax.GatherDimensionNumbers(
  offset_dims=(2,),
  collapsed_slice_dims=(1,),
  start_index_map=(1,),
  operand_batching_dims=(0,),
  start_indices_batching_dims=(0,),
)


def take_pixels(
  pixels: Float[jax.Array, "B P C"],
  index: Int[jax.Array, "B K"],
  inside: Bool[jax.Array, "B K"],
) -> Float[jax.Array, "B K C"]:
  """Takes pixels by index; those outside get no gradient.

  Where XLA was told to be deterministic (`XLA_FLAGS`), the gradient is computed without
  a scatter. Then there is no forward-mode derivative.

  Args:
    pixels: of each image, in one row.
    index: below P where `inside`, any number elsewhere.
    inside: False where there is no pixel to take.

  Returns:
    The pixels; where not inside, some pixel, to be weighted by 0.
  """
  near = jnp.where(inside, index, 0)
  index = jnp.where(inside, index, pixels.shape[1])
  if _DETERMINISTIC.isdisjoint(os.environ.get("XLA_FLAGS", "").split()):
    return _take(pixels, near, index)
  return _take_sorted(pixels, near, index)


def _gather(
  pixels: jax.Array, index: jax.Array, mode: lax.GatherScatterMode
) -> jax.Array:
  sizes = (1, 1, pixels.shape[-1])
  return lax.gather(pixels, index[..., None], _TAKE, sizes, mode=mode, fill_value=0)


@jax.custom_jvp
def _take(pixels: jax.Array, near: jax.Array, index: jax.Array) -> jax.Array:
  return _gather(pixels, near, lax.GatherScatterMode.PROMISE_IN_BOUNDS)


@_take.defjvp
def _take_jvp(
  primals: tuple[jax.Array, ...], tangents: tuple[Any, ...]
) -> tuple[jax.Array, jax.Array]:
  """The transpose of this gather drops what is outside, at no cost to the value."""
  tangent = _gather(tangents[0], primals[2], lax.GatherScatterMode.FILL_OR_DROP)
  return _take(*primals), tangent


@jax.custom_vjp
def _take_sorted(pixels: jax.Array, near: jax.Array, index: jax.Array) -> jax.Array:
  return _take(pixels, near, index)


def _take_sorted_forward(
  pixels: jax.Array, near: jax.Array, index: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _take(pixels, near, index), (index, pixels)


def _take_sorted_backward(
  residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, None, None]:
  index, pixels = residuals
  sums = jax.vmap(lambda i, values: _sums(i, values, pixels.shape[1]))
  return sums(index, cotangent), None, None


_take_sorted.defvjp(_take_sorted_forward, _take_sorted_backward)


def _sums(
  index: Int[jax.Array, " K"], values: Float[jax.Array, "K C"], count: int
) -> Float[jax.Array, "P C"]:
  """The sum of the values of each index below `count`, in a fixed order.

  A scan over the sorted values begins again at every new index.
  """
  order = jnp.argsort(index)
  index, values = index[order], values[order]
  first = jnp.concatenate([jnp.ones(1, bool), index[1:] != index[:-1]])

  def join(
    earlier: tuple[jax.Array, jax.Array], later: tuple[jax.Array, jax.Array]
  ) -> tuple[jax.Array, jax.Array]:
    begins, value = later
    return earlier[0] | begins, jnp.where(begins[:, None], value, earlier[1] + value)

  _, sums = lax.associative_scan(join, (first, values))
  wanted = jnp.arange(count, dtype=index.dtype)
  last = jnp.searchsorted(index, wanted, side="right", method="scan_unrolled") - 1
  return jnp.where((index[last] == wanted)[:, None], sums[last], 0)
