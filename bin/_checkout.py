"""Finds the package for the scripts of this folder, silently if it is there."""

import importlib.util
import os
import pathlib
import sys

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
_PYTHON = _CHECKOUT / ".venv" / "bin" / "python"


def ensure_package() -> None:
  """Imports the package, with the checkout's own Python where this one lacks it."""
  if importlib.util.find_spec("dipvid_jax") is None:
    if _PYTHON.is_file() and pathlib.Path(sys.prefix) != _PYTHON.parent.parent:
      os.execv(_PYTHON, [str(_PYTHON), *sys.argv])
    _stop(f"dipvid_jax is not installed; run: make -C {_CHECKOUT} install")
  try:
    importlib.import_module("dipvid_jax")
  except ImportError as error:  # a package that is missing, or another one named flow
    _stop(str(error))


def _stop(reason: str) -> None:
  print(f"{pathlib.Path(sys.argv[0]).name}: {reason}", file=sys.stderr)
  sys.exit(2)
