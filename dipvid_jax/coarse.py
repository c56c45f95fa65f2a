"""Coarse to fine: the same batch at half its size."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dipvid_jax.errors import InputError
from dipvid_jax.preparation import check_size
from dipvid_jax.types import Batch


def check_half_size(
  size: tuple[int, int],
  levels: int,
  *,
  check: Callable[[tuple[int, int], int], None] = check_size,
) -> None:
  """Checks that half of a working size suits a network of so many levels, too.

  Args:
    size: (H, W) of the working frames.
    levels: of the network.
    check: `check_size`, or `check_smallest` for a size that is yet to be padded.

  Raises:
    InputError: it does not; the line says which sizes do.
  """
  try:
    check((size[0] // 2, size[1] // 2), levels)
  except InputError as error:
    raise InputError(f"config.coarse_updates: at half the size, {error}") from error


def halve_batch(batch: Batch) -> Batch:
  """Brings a batch to half its size, as the same network can be trained on it.

  A pixel becomes the mean of four, the frames' by how far each is known, so that
  nothing of the hole gets out of it. Flow is trusted where it was in all four; in
  network units it stays what it is, and a unit is half as many pixels.

  Args:
    batch: N frames, H and W even, without features.

  Returns:
    The batch at `H/2 x W/2`; the hole mask is between 0 and 1 at the hole's border.
  """
  trust = 1 - batch.hole_mask
  known = _mean(trust)
  anywhere = jnp.where(known > 0, known, 1)
  halved = batch._replace(
    noise=_mean(batch.noise),
    frames=jnp.where(known > 0, _mean(trust * batch.frames) / anywhere, 0.5),
    hole_mask=1 - known,
  )
  if batch.flow is None or batch.flow_scale is None:
    return halved
  return halved._replace(
    flow=_mean(batch.flow),
    flow_hole=_blocks(batch.flow_hole).max(axis=(2, 4)),
    visible=_blocks(batch.visible).min(axis=(2, 4)),
    flow_scale=batch.flow_scale / 2,
  )


def _mean(images: jax.Array) -> jax.Array:
  return _blocks(images).mean(axis=(2, 4))


def _blocks(images):
  """`[N, H, W, C]` as `[N, H/2, 2, W/2, 2, C]`."""
  count, height, width, channels = images.shape
  return images.reshape(count, height // 2, 2, width // 2, 2, channels)
