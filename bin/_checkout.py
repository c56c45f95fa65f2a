"""Finds the package for the scripts of this folder, without a word if it is there."""

import importlib.util
import os
import pathlib
import sys

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
_PYTHON = _CHECKOUT / ".venv" / "bin" / "python"


def ensure_package() -> None:
  """Goes on with the checkout's own Python where this one lacks the package."""
  if importlib.util.find_spec("dipvid_jax") is not None:
    return
  if _PYTHON.is_file() and pathlib.Path(sys.prefix) != _PYTHON.parent.parent:
    os.execv(_PYTHON, [str(_PYTHON), *sys.argv])
  name = pathlib.Path(sys.argv[0]).name
  hint = f"dipvid_jax is not installed; run: make -C {_CHECKOUT} install"
  print(f"{name}: {hint}", file=sys.stderr)
  sys.exit(2)
