"""InceptionV3's last pooled features, from a file of weights that the user has.

Two versions of the network circulate, with the same names: the one that the field's
FID is computed with (converted from TensorFlow's of 2015; 1008 classes) and
torchvision's (1000 classes). They differ in their pooling, so the file decides.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import as_float
from flow.pwcnet.torch_files import read_torch_file

_INPUT_SIDE = 299
_EPSILON = 1e-3  # of BatchNorm
_FID_CLASSES, _TORCHVISION_CLASSES = 1008, 1000


class Inception(NamedTuple):
  """A network as `load_inception` returns it.

  Attributes:
    layers: for each convolution its kernel `[h, w, I, O]` and bias `[O]`, float32,
      with the BatchNorm behind it folded in.
    of_fid: whether it is the version of the field's FID.
    identity: names the version and the file's content.
  """

  layers: dict[str, dict[str, jax.Array]]
  of_fid: bool
  identity: str


def load_inception(path: str | Path) -> Inception:
  """Reads InceptionV3 from a PyTorch file of either version.

  Args:
    path: a state dict such as `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid,
      or torchvision's `inception_v3_google-*.pth`. Nothing in it is run.

  Returns:
    The network.

  Raises:
    InputError: no such file, or it holds another network.
  """
  layers, of_fid = arrange_layers(read_torch_file(path), source=str(path))
  version = "of pytorch-fid" if of_fid else "of torchvision, not the field's"
  digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
  return Inception(layers, of_fid, f"InceptionV3 {version}, sha256 {digest}")


def arrange_layers(
  tensors: Mapping[str, np.ndarray], *, source: str
) -> tuple[dict[str, dict[str, jax.Array]], bool]:
  """Arranges PyTorch's tensors as `inception_features` takes them.

  Args:
    tensors: by name, in PyTorch's layout. All channels may be fewer than published.
    source: where they come from, for the error's text.

  Returns:
    `layers` and `of_fid` of `Inception`.

  Raises:
    InputError: they are of another network.
  """
  try:
    classes = len(tensors["fc.bias"])
    if classes not in (_FID_CLASSES, _TORCHVISION_CLASSES):
      raise ValueError(f"{classes} classes")
    of_fid = classes == _FID_CLASSES
    layers = _fold_layers(tensors)
    images = jax.ShapeDtypeStruct((1, _INPUT_SIDE, _INPUT_SIDE, 3), jnp.float32)
    network = functools.partial(inception_features, of_fid=of_fid)
    jax.eval_shape(network, layers, images)
  except (KeyError, TypeError, ValueError) as error:
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    raise InputError(
      f"{source}: is not InceptionV3 ({' '.join(what.split())}); give pytorch-fid's or "
      f"torchvision's weights"
    ) from error
  return layers, of_fid


def _fold_layers(tensors):
  """Each convolution with the BatchNorm behind it as one kernel and bias."""
  layers = {}
  for key in tensors:
    name = key.removesuffix(".conv.weight")
    if name == key or name.startswith("AuxLogits"):
      continue
    scale, offset, mean, variance = (
      np.float64(tensors[f"{name}.bn.{part}"])
      for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = scale / np.sqrt(variance + _EPSILON)
    kernel = tensors[key].transpose(2, 3, 1, 0) * scale
    layers[name] = {
      "kernel": jnp.asarray(kernel, jnp.float32),
      "bias": jnp.asarray(offset - mean * scale, jnp.float32),
    }
  return layers


def frame_features(inception: Inception, frames: np.ndarray) -> np.ndarray:
  """Features of frames as FID wants them: resized to 299 x 299, in [-1, 1].

  The resizing is bilinear without smoothing, as pytorch-fid's.

  Args:
    inception: from `load_inception`.
    frames: `[T, H, W, 3]` RGB, float in [0, 1] or uint8.

  Returns:
    `[T, C]` float64, C = 2048 with the published weights.
  """
  features = [
    np.asarray(_apply(inception.layers, _input(frame), of_fid=inception.of_fid))
    for frame in frames
  ]
  return np.concatenate(features).astype(np.float64)


def _input(frame):
  image = jnp.asarray(2 * as_float(frame) - 1, jnp.float32)[None]
  size = (1, _INPUT_SIDE, _INPUT_SIDE, 3)
  return jax.image.resize(image, size, "bilinear", antialias=False)


def inception_features(
  layers: Mapping[str, Mapping[str, jax.Array]], images: jax.Array, *, of_fid: bool
) -> jax.Array:
  """The mean over the places of the last block's output.

  Args:
    layers: see `Inception`.
    images: `[N, H, W, 3]` float in [-1, 1], H and W at least 75.
    of_fid: the version: its average pooling leaves the border out of the mean, and
      its last block pools by the maximum.

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


def _run(layers, x, *steps, prefix="", padding="SAME"):
  """Convolutions and ReLUs, one after another: (name, height, width, stride)."""
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


def _block_5(run, x, pool):
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


def _block_6a(run, x, _):
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


def _block_6(run, x, pool):
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


def _block_7a(run, x, _):
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


def _block_7(run, x, pool):
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


_BLOCKS = {
  **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _block_5),
  "Mixed_6a": _block_6a,
  **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _block_6),
  "Mixed_7a": _block_7a,
  **dict.fromkeys(("Mixed_7b", "Mixed_7c"), _block_7),
}


def _max_pool(x, stride=1):
  """3x3 maximum; no padding where it strides."""
  padding = "SAME" if stride == 1 else "VALID"
  return nn.max_pool(x, (3, 3), strides=(stride, stride), padding=padding)


def _average_pool(x, *, counts_border):
  """3x3 mean at every place; the zeros around the map count or do not."""
  return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=counts_border)


_apply = jax.jit(inception_features, static_argnames="of_fid")
