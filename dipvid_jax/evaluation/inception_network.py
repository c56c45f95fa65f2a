"""InceptionV3 up to its last pooled features, for kernels with BatchNorm folded in.

Layers are named as in PyTorch's files. Images are `[N, H, W, C]`.
"""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

Layers = Mapping[str, Mapping[str, jax.Array]]

# (name, height, width) of a convolution, then its stride where it has one.
_Step = tuple[str, int, int] | tuple[str, int, int, int]
_Run = Callable[..., jax.Array]
_Pool = Callable[[jax.Array], jax.Array]
_Branches = tuple[jax.Array, ...]


def inception_features(layers: Layers, images: jax.Array, *, of_fid: bool) -> jax.Array:
  """The output of the last block, averaged over all positions.

  Args:
    layers: for each convolution its kernel `[h, w, I, O]` and bias `[O]`.
    images: `[N, H, W, 3]` float in [-1, 1], H and W at least 75.
    of_fid: the version of the field's FID: its average pooling leaves the border out
      of the mean, and its last block pools by the maximum.

  Returns:
    `[N, C]`.

  Reference: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
  """
  run = functools.partial(_run, layers)
  x = run(images, ("Conv2d_1a_3x3", 3, 3, 2))
  x = run(x, ("Conv2d_2a_3x3", 3, 3), padding="VALID")
  x = run(x, ("Conv2d_2b_3x3", 3, 3))
  x = run(_max_pool(x, 2), ("Conv2d_3b_1x1", 1, 1))
  x = run(x, ("Conv2d_4a_3x3", 3, 3), padding="VALID")
  x = _max_pool(x, 2)
  average = functools.partial(_average_pool, counts_border=not of_fid)
  for name, block in _BLOCKS.items():
    pool = _max_pool if of_fid and name == "Mixed_7c" else average
    branches = block(functools.partial(_run, layers, prefix=f"{name}."), x, pool)
    x = jnp.concatenate(branches, axis=-1)
  return x.mean(axis=(1, 2))


def _run(
  layers: Layers, x: jax.Array, *steps: _Step, prefix: str = "", padding: str = "SAME"
) -> jax.Array:
  """Convolutions, each followed by a ReLU; one with a stride is not padded."""
  for name, height, width, *stride in steps:
    layer = layers[prefix + name]
    kernel = layer["kernel"]
    if kernel.shape[:2] != (height, width):
      raise ValueError(f"{prefix}{name} is {kernel.shape[0]}x{kernel.shape[1]}")
    x = jax.lax.conv_general_dilated(
      x,
      kernel,
      (*stride, *stride) or (1, 1),
      "VALID" if stride else padding,
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    x = jax.nn.relu(x + layer["bias"].reshape(1, 1, 1, -1))
  return x


def _block_5(run: _Run, x: jax.Array, pool: _Pool) -> _Branches:
  return (
    run(x, ("branch1x1", 1, 1)),
    run(x, ("branch5x5_1", 1, 1), ("branch5x5_2", 5, 5)),
    run(
      x,
      ("branch3x3dbl_1", 1, 1),
      ("branch3x3dbl_2", 3, 3),
      ("branch3x3dbl_3", 3, 3),
    ),
    run(pool(x), ("branch_pool", 1, 1)),
  )


def _block_6a(run: _Run, x: jax.Array, _: _Pool) -> _Branches:
  return (
    run(x, ("branch3x3", 3, 3, 2)),
    run(
      x,
      ("branch3x3dbl_1", 1, 1),
      ("branch3x3dbl_2", 3, 3),
      ("branch3x3dbl_3", 3, 3, 2),
    ),
    _max_pool(x, 2),
  )


def _block_6(run: _Run, x: jax.Array, pool: _Pool) -> _Branches:
  return (
    run(x, ("branch1x1", 1, 1)),
    run(x, ("branch7x7_1", 1, 1), ("branch7x7_2", 1, 7), ("branch7x7_3", 7, 1)),
    run(
      x,
      ("branch7x7dbl_1", 1, 1),
      ("branch7x7dbl_2", 7, 1),
      ("branch7x7dbl_3", 1, 7),
      ("branch7x7dbl_4", 7, 1),
      ("branch7x7dbl_5", 1, 7),
    ),
    run(pool(x), ("branch_pool", 1, 1)),
  )


def _block_7a(run: _Run, x: jax.Array, _: _Pool) -> _Branches:
  return (
    run(x, ("branch3x3_1", 1, 1), ("branch3x3_2", 3, 3, 2)),
    run(
      x,
      ("branch7x7x3_1", 1, 1),
      ("branch7x7x3_2", 1, 7),
      ("branch7x7x3_3", 7, 1),
      ("branch7x7x3_4", 3, 3, 2),
    ),
    _max_pool(x, 2),
  )


def _block_7(run: _Run, x: jax.Array, pool: _Pool) -> _Branches:
  single = run(x, ("branch3x3_1", 1, 1))
  double = run(x, ("branch3x3dbl_1", 1, 1), ("branch3x3dbl_2", 3, 3))
  return (
    run(x, ("branch1x1", 1, 1)),
    run(single, ("branch3x3_2a", 1, 3)),
    run(single, ("branch3x3_2b", 3, 1)),
    run(double, ("branch3x3dbl_3a", 1, 3)),
    run(double, ("branch3x3dbl_3b", 3, 1)),
    run(pool(x), ("branch_pool", 1, 1)),
  )


_BLOCKS: dict[str, Callable[[_Run, jax.Array, _Pool], _Branches]] = {
  **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _block_5),
  "Mixed_6a": _block_6a,
  **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _block_6),
  "Mixed_7a": _block_7a,
  **dict.fromkeys(("Mixed_7b", "Mixed_7c"), _block_7),
}


def _max_pool(x: jax.Array, stride: int = 1) -> jax.Array:
  """3x3 maximum, padded only without a stride."""
  padding = "SAME" if stride == 1 else "VALID"
  return nn.max_pool(x, (3, 3), strides=(stride, stride), padding=padding)


def _average_pool(x: jax.Array, *, counts_border: bool) -> jax.Array:
  """3x3 mean at every position; `counts_border` includes the zeros around the map."""
  return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=counts_border)
