"""Converts PWC-Net's published weights to variables of `flow.pwcnet.network.PWCNet`.

The weights circulate as PyTorch files under three sets of names: the common port's
(`moduleTwo...`), its newer code's (`netTwo...`), and the official release's
(`conv2a...`). The official release masks warped features at a weight sum of 0.9999;
this network does so at 0.999 for all three.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flow.errors import InputError
from flow.pwcnet import network
from flow.pwcnet.torch_files import read_torch_file
from flow.types import Variables

_WORDS = ("One", "Two", "Thr", "Fou", "Fiv", "Six")
_OFFICIAL_UNUSED = frozenset({"deconv2.weight", "deconv2.bias"})
_WRAPPER_PREFIX = "module."  # of a model saved inside PyTorch's DataParallel

_ParamPath = tuple[str, ...]


class _Layer(NamedTuple):
  """A layer's path in the params, and its names in the files."""

  path: _ParamPath
  port: str
  official: str


class _Naming(NamedTuple):
  """One set of names: the parameter of each, and names that are ignored."""

  paths: dict[str, _ParamPath]
  unused: frozenset[str]


def load_pwcnet(path: str | Path) -> Variables:
  """Reads PWC-Net weights from a PyTorch file, without PyTorch.

  Args:
    path: a checkpoint in PyTorch's zip or legacy format, with any of the three sets
      of names; it may be nested under "state_dict", and its names may begin with
      "module.".

  Returns:
    `{"params": ...}` for `PWCNet().apply`, float32.

  Raises:
    InputError: the file cannot be read, or tensors in it are missing, unknown or
      misshapen (one line lists them all). No code in the file runs.
  """
  return pwcnet_variables(read_torch_file(path), source=str(path))


def pwcnet_variables(tensors: dict[str, np.ndarray], *, source: str) -> Variables:
  """Arranges PyTorch's PWC-Net tensors as the variables of `PWCNet`.

  Args:
    tensors: by name, in PyTorch's layout, named as in `load_pwcnet`.
    source: names their origin in error messages.

  Returns:
    `{"params": ...}` for `PWCNet().apply`, float32.

  Raises:
    InputError: tensors are missing, unknown or misshapen (one line lists them all).
  """
  if tensors and all(name.startswith(_WRAPPER_PREFIX) for name in tensors):
    tensors = {
      name.removeprefix(_WRAPPER_PREFIX): value for name, value in tensors.items()
    }
  naming = max(_namings(), key=lambda naming: len(naming.paths.keys() & tensors))
  problems = _problems(tensors, naming)
  if problems:
    raise InputError(
      f"{source}: is not a checkpoint of PWC-Net (the variant with dense connections "
      f"and a context network); {'; '.join(problems)}"
    )
  params: dict[str, Any] = {}
  for name, param_path in naming.paths.items():
    *parents, leaf = param_path
    node = params
    for parent in parents:
      node = node.setdefault(parent, {})
    node[leaf] = jnp.asarray(_to_flax_layout(tensors[name], param_path), jnp.float32)
  return {"params": params}


def _problems(tensors: dict[str, np.ndarray], naming: _Naming) -> list[str]:
  """Lists the differences between a file's tensors and the network's."""
  expected = naming.paths
  if not expected.keys() & tensors:
    return [f"it has none of the {len(expected)} tensors, under any of their names"]
  wrong = []
  for name in expected.keys() & tensors:
    shape = _torch_shape(expected[name])
    if tensors[name].shape != shape:
      wrong.append(f"{name} {list(tensors[name].shape)} instead of {list(shape)}")
    elif tensors[name].dtype.kind != "f":
      wrong.append(f"{name} {tensors[name].dtype} instead of floating point")
    elif not np.isfinite(tensors[name]).all():
      wrong.append(f"{name} with values that are not finite")
  found = {
    "missing": expected.keys() - tensors,
    "unknown": tensors.keys() - expected - naming.unused,
    "misshapen": wrong,
  }
  return [
    f"{what}: {', '.join(ascii(item)[1:-1] for item in sorted(items))}"
    for what, items in found.items()
    if items
  ]


def _to_flax_layout(tensor: np.ndarray, path: _ParamPath) -> np.ndarray:
  """Converts a PyTorch tensor to the parameter at a path."""
  if path[-1] == "bias":
    return tensor
  if _is_transposed(path):
    # IOHW -> HWIO. PyTorch scatters with the kernel, Flax correlates the dilated
    # input with it, so the kernel must be rotated by 180 degrees.
    return tensor.transpose(2, 3, 0, 1)[::-1, ::-1]
  return tensor.transpose(2, 3, 1, 0)  # OIHW -> HWIO


def _torch_shape(path: _ParamPath) -> tuple[int, ...]:
  """The shape in PyTorch's layout of the parameter at a path."""
  shape = _param_shapes()[path]
  if path[-1] == "bias":
    return shape
  height, width, inputs, outputs = shape
  if _is_transposed(path):
    return inputs, outputs, height, width
  return outputs, inputs, height, width


def _is_transposed(path: _ParamPath) -> bool:
  return path[-2] in ("upflow", "upfeat")


@functools.cache
def _param_shapes() -> dict[_ParamPath, tuple[int, ...]]:
  frame = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  variables = jax.eval_shape(network.PWCNet().init, jax.random.key(0), frame, frame)
  leaves = jax.tree.leaves_with_path(variables["params"])
  return {tuple(key.key for key in path): leaf.shape for path, leaf in leaves}


@functools.cache
def _namings() -> tuple[_Naming, ...]:
  """The three sets of names, in the order of the module's docstring."""
  port, newer_port, official = {}, {}, {}
  for layer in _layers():
    for kind, leaf in (("weight", "kernel"), ("bias", "bias")):
      path = (*layer.path, leaf)
      port[f"{layer.port}.{kind}"] = path
      newer_name = re.sub(r"\bmodule(?=[A-Z])", "net", layer.port)
      newer_port[f"{newer_name}.{kind}"] = path
      official[f"{layer.official}.{kind}"] = path
  nothing: frozenset[str] = frozenset()
  return (
    _Naming(port, nothing),
    _Naming(newer_port, nothing),
    _Naming(official, _OFFICIAL_UNUSED),
  )


def _layers() -> Iterator[_Layer]:
  """Yields the 63 layers."""
  for level, word in enumerate(_WORDS, start=1):
    # The official names of level 6's first two convolutions are swapped.
    suffixes = ("aa", "a", "b") if level == network.COARSEST_LEVEL else ("a", "aa", "b")
    for index, suffix in enumerate(suffixes):
      yield _Layer(
        ("encoder", f"level{level}_{index}", "conv"),
        f"moduleExtractor.module{word}.{2 * index}",
        f"conv{level}{suffix}.0",
      )
  for level in range(network.FINEST_LEVEL, network.COARSEST_LEVEL + 1):
    yield from _decoder_layers(level)
  last = len(network.CONTEXT_CHANNELS)
  for index in range(last):
    yield _Layer(
      ("context", f"context_{index}", "conv"),
      f"moduleRefiner.moduleMain.{2 * index}",
      f"dc_conv{index + 1}.0",
    )
  yield _Layer(
    ("context", "flow", "conv"),
    f"moduleRefiner.moduleMain.{2 * last}",
    f"dc_conv{last + 1}",
  )


def _decoder_layers(level: int) -> Iterator[_Layer]:
  decoder, port = f"decoder{level}", f"module{_WORDS[level - 1]}"
  for index in range(len(network.DECODER_CHANNELS)):
    yield _Layer(
      (decoder, f"dense_{index}", "conv"),
      f"{port}.module{_WORDS[index]}.0",
      f"conv{level}_{index}.0",
    )
  yield _Layer((decoder, "flow", "conv"), f"{port}.moduleSix.0", f"predict_flow{level}")
  if level < network.COARSEST_LEVEL:
    # The official names use the level that a map comes from.
    yield _Layer((decoder, "upflow"), f"{port}.moduleUpflow", f"deconv{level + 1}")
    yield _Layer((decoder, "upfeat"), f"{port}.moduleUpfeat", f"upfeat{level + 1}")
