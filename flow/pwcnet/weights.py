"""PWC-Net weights in this package's own format: float16 arrays in one .npz file.

The file holds `variant`, a name in `flow.pwcnet.network.VARIANTS`, and each parameter
by its path, for example `params/decoder2/flow/conv/kernel`, in Flax's layout.
"""

import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from flow.errors import InputError
from flow.pwcnet.network import SIZE_MULTIPLE, VARIANTS, PWCNet, make_network
from flow.types import Params, Variables

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "pwc_net.npz"
"""The package's own weights; the file exists only if they ship."""

_VARIANT = "variant"


def write_weights(path: str | Path, params: Params, *, variant: str) -> None:
  """Writes parameters as float16.

  Args:
    path: the file to write.
    params: of `make_network(variant)`.
    variant: of the network.

  Raises:
    ValueError: a parameter is outside the range of float16.
  """
  arrays = {
    name: np.asarray(leaf, np.float16)
    for name, leaf in _by_name({"params": params}).items()
  }
  for name, array in arrays.items():
    if not np.isfinite(array).all():
      raise ValueError(f"{name} is outside the range of float16")
  with Path(path).open("wb") as file:
    np.savez(file, allow_pickle=False, **{_VARIANT: np.array(variant)}, **arrays)


def holds_own_weights(path: str | Path) -> bool:
  """Whether a file has this format; PyTorch's zip files do not."""
  try:
    with zipfile.ZipFile(path) as file:
      return f"{_VARIANT}.npy" in file.namelist()
  except (OSError, zipfile.BadZipFile):
    return False


def read_weights(path: str | Path) -> tuple[PWCNet, Variables]:
  """Reads what `write_weights` wrote.

  Args:
    path: the file.

  Returns:
    `(network, variables)`: the network of the file's variant, and `{"params": ...}`
    for its `apply`, float32.

  Raises:
    InputError: the file is damaged, or is of another variant or network.
  """
  try:
    with np.load(path, allow_pickle=False) as file:
      arrays = dict(file)
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise InputError(
      f"{path}: cannot be read ({error}); export the weights again"
    ) from None
  variant = str(arrays.pop(_VARIANT))
  if variant not in VARIANTS:
    raise InputError(
      f"{path}: has the unknown variant {variant!a}; known are {', '.join(VARIANTS)}"
    )
  network = make_network(variant)
  frame = jax.ShapeDtypeStruct((1, SIZE_MULTIPLE, SIZE_MULTIPLE, 3), jnp.float32)
  shapes = jax.eval_shape(network.init, jax.random.key(0), frame, frame)
  expected = {name: leaf.shape for name, leaf in _by_name(shapes).items()}
  wrong = sorted(
    name
    for name in expected.keys() | arrays.keys()
    if name not in arrays
    or arrays[name].shape != expected.get(name)
    or arrays[name].dtype != np.float16
    or not np.isfinite(arrays[name]).all()
  )
  if wrong:
    raise InputError(
      f"{path}: does not match the variant {variant}; missing, unknown or misshapen: "
      f"{', '.join(ascii(name)[1:-1] for name in wrong)}"
    )
  leaves = [jnp.asarray(arrays[name], jnp.float32) for name in expected]
  return network, jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def _by_name(tree: Params) -> dict[str, jax.Array]:
  return {
    "/".join(key.key for key in path): leaf
    for path, leaf in jax.tree.leaves_with_path(tree)
  }
