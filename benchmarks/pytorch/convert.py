"""The generator's parameters between Flax and PyTorch.

The trees hold the same arrays under different names. Convolution kernels are
`[.., I, O]` in Flax and `[O, I, ..]` in PyTorch. Flax applies the 3D network's head to
single frames, so that kernel has no time axis; PyTorch's has one of length 1.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

_BLOCKS = {
  "skip": "skip_{}",
  "down": "down_{}_a",
  "refine": "down_{}_b",
  "up": "up_{}_a",
  "mix": "up_{}_b",
}


def names(levels: int) -> Iterator[tuple[str, tuple[str, ...], bool]]:
  """Lists every parameter.

  Args:
    levels: the generator's.

  Yields:
    `(PyTorch name, path in the Flax tree, whether it is a convolution kernel)`.
  """
  for i in range(levels):
    for block, flax_block in _BLOCKS.items():
      begin, module = f"levels.{i}.{block}", flax_block.format(i)
      yield f"{begin}.conv.weight", (module, "conv", "kernel"), True
      yield f"{begin}.conv.bias", (module, "conv", "bias"), False
      yield f"{begin}.norm.weight", (module, "norm", "scale"), False
      yield f"{begin}.norm.bias", (module, "norm", "bias"), False
    yield f"levels.{i}.concat_norm.weight", (f"merge_{i}", "scale"), False
    yield f"levels.{i}.concat_norm.bias", (f"merge_{i}", "bias"), False
  yield "head.weight", ("heads", "kernel"), True
  yield "head.bias", ("heads", "bias"), False


def to_torch(params: Mapping[str, Any], *, levels: int) -> dict[str, torch.Tensor]:
  """Flax parameters (or their gradients) as a PyTorch state dict.

  Args:
    params: nested dict of arrays, the collection `params`.
    levels: the generator's.

  Returns:
    Tensors by PyTorch's names, in the dtype of `params`.

  Raises:
    KeyError: a parameter is missing.
    ValueError: `params` holds other arrays as well.
  """
  state = {}
  for name, path, is_kernel in names(levels):
    array = np.asarray(_get(params, path))
    state[name] = torch.from_numpy(
      _to_torch_kernel(array) if is_kernel else array.copy()
    )
  state["head.weight"] = state["head.weight"].reshape(
    *state["head.weight"].shape[:2],
    *(1,) * (state["levels.0.skip.conv.weight"].ndim - 2),
  )
  if len(state) != _count(params):
    raise ValueError(f"got {_count(params)} arrays, expected {len(state)}")
  return state


def to_flax(
  state: Mapping[str, torch.Tensor], *, levels: int
) -> dict[str, dict[str, Any]]:
  """A PyTorch state dict (or gradients by name) as Flax parameters.

  Args:
    state: tensors by PyTorch's names.
    levels: the generator's.

  Returns:
    Nested dict of NumPy arrays, in the dtype of `state`.

  Raises:
    KeyError: a parameter is missing.
    ValueError: `state` holds other tensors as well.
  """
  params: dict[str, Any] = {}
  wanted = list(names(levels))
  if len(wanted) != len(state):
    raise ValueError(f"got {len(state)} tensors, expected {len(wanted)}")
  for name, path, is_kernel in wanted:
    array = state[name].detach().cpu().numpy()
    node = params
    for key in path[:-1]:
      node = node.setdefault(key, {})
    node[path[-1]] = _to_flax_kernel(array) if is_kernel else array.copy()
  kernel = params["heads"]["kernel"]
  params["heads"]["kernel"] = kernel.reshape(1, 1, *kernel.shape[-2:])
  return params


def has_no_gradient(name: str) -> bool:
  """Whether a later BatchNorm subtracts all that this parameter adds.

  True of every convolution's bias but the head's, and of the offset of the BatchNorm
  over a concatenation: the reflection-padded convolution after it maps a constant to a
  constant. The true gradient of these parameters is zero, so comparing their gradients
  or Adam's updates would compare rounding errors.

  Args:
    name: the parameter's name in PyTorch.

  Returns:
    True for such a parameter.
  """
  return name.endswith((".conv.bias", ".concat_norm.bias"))


def _to_torch_kernel(kernel: np.ndarray) -> np.ndarray:
  return np.array(np.moveaxis(kernel, (-1, -2), (0, 1)), order="C")


def _to_flax_kernel(kernel: np.ndarray) -> np.ndarray:
  return np.array(np.moveaxis(kernel, (0, 1), (-1, -2)), order="C")


def _get(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
  for key in path:
    tree = tree[key]
  return tree


def _count(tree: Any) -> int:
  if isinstance(tree, Mapping):
    return sum(_count(child) for child in tree.values())
  return 1
