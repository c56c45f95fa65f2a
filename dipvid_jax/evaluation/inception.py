"""InceptionV3's last pooled features, from the user's own file of weights.

Two versions of the network circulate, with the same layer names: the one behind the
field's FID (converted from TensorFlow's of 2015; 1008 classes) and torchvision's (1000
classes). They differ in their pooling, so the number of classes selects the version.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.frame_quality import as_float
from dipvid_jax.evaluation.inception_network import inception_features
from flow.pwcnet.torch_files import read_torch_file

_INPUT_SIDE = 299
_EPSILON = 1e-3  # of BatchNorm
_FID_CLASSES, _TORCHVISION_CLASSES = 1008, 1000


class Inception(NamedTuple):
  """A network as `load_inception` returns it.

  Attributes:
    layers: for each convolution its kernel `[h, w, I, O]` and bias `[O]`, float32,
      with the BatchNorm behind it folded in.
    of_fid: whether this is the version behind the field's FID.
    identity: names the version and gives the file's SHA-256.
  """

  layers: dict[str, dict[str, jax.Array]]
  of_fid: bool
  identity: str


def load_inception(path: str | Path) -> Inception:
  """Reads InceptionV3 from a PyTorch file of either version.

  Args:
    path: a state dict such as `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid,
      or torchvision's `inception_v3_google-*.pth`. No code in it is run.

  Returns:
    The network.

  Raises:
    InputError: the file cannot be read, or holds another network.
  """
  layers, of_fid = arrange_layers(read_torch_file(path), source=str(path))
  version = "of pytorch-fid" if of_fid else "of torchvision, not the field's"
  with Path(path).open("rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
  return Inception(layers, of_fid, f"InceptionV3 {version}, sha256 {digest}")


def arrange_layers(
  tensors: Mapping[str, np.ndarray], *, source: str
) -> tuple[dict[str, dict[str, jax.Array]], bool]:
  """Arranges PyTorch's tensors as `inception_features` takes them.

  Args:
    tensors: by name, in PyTorch's layout; may have fewer channels than published.
    source: where they come from, for the error message.

  Returns:
    `layers` and `of_fid` of `Inception`.

  Raises:
    InputError: they belong to another network.
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


def _fold_layers(
  tensors: Mapping[str, np.ndarray],
) -> dict[str, dict[str, jax.Array]]:
  """Folds each convolution and its BatchNorm into one kernel and bias."""
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
  """Features of frames, resized to 299 x 299 and scaled to [-1, 1] for FID.

  The resizing is bilinear without antialiasing, as in pytorch-fid.

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


def _input(frame: np.ndarray) -> jax.Array:
  image = jnp.asarray(2 * as_float(frame) - 1, jnp.float32)[None]
  size = (1, _INPUT_SIDE, _INPUT_SIDE, 3)
  return jax.image.resize(image, size, "bilinear", antialias=False)


_apply = jax.jit(inception_features, static_argnames="of_fid")
