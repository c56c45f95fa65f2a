"""Recipes: config files found, loaded and turned into a `Config`.

A recipe is a Python file whose `get_config()` returns an `ml_collections.ConfigDict`
with every key of `config.CONFIG_KEYS`; `configs/flow.py` has them all, the others
change some of its values.
"""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import ml_collections

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import CONFIG_KEYS, Config, make_config

_REFERENCE = "flow"  # the recipe that the others begin with
_KEYS_NAMED = 10


def recipe_folder() -> Path:
  """The folder of the shipped recipes: in the wheel, or in the checkout."""
  package = Path(__file__).resolve().parents[1]
  installed = package / "configs"
  return installed if installed.is_dir() else package.parent / "configs"


def find_recipe(name: str) -> Path:
  """Finds a recipe's file.

  Args:
    name: a path, or the name of a shipped recipe with or without `.py`.

  Returns:
    The file's path.

  Raises:
    InputError: there is no such file; the line lists the shipped recipes.
  """
  path = Path(name)
  if path.name and path.parent == Path() and not name.startswith("."):
    path = recipe_folder() / path.with_suffix(".py")
  try:
    if path.is_file():
      return path
  except OSError as error:
    raise InputError(f"--config {name}: {error.strerror}") from error
  shipped = ", ".join(p.name for p in _shipped_files())
  raise InputError(f"--config {name}: no such config; there are {shipped}")


def _shipped_files() -> list[Path]:
  return sorted(recipe_folder().glob("*.py"))


def load_recipe(name: str = _REFERENCE) -> ml_collections.ConfigDict:
  """Loads a recipe by name or path; another recipe may begin with it.

  Args:
    name: see `find_recipe`.

  Returns:
    A recipe whose keys are fixed and whose values can be set.

  Raises:
    InputError: there is no such file, it fails, or it has other keys or values of
      other types than `CONFIG_KEYS`.
  """
  path = find_recipe(name)
  recipe = _run_file(path)
  _check_keys(path, _flat(recipe))
  recipe.lock()
  return recipe


def parse_recipe(recipe: ml_collections.ConfigDict) -> Config:
  """Turns a recipe into a config.

  Args:
    recipe: from `load_recipe`, with the user's values set.

  Returns:
    The config.

  Raises:
    InputError: one line that names the key, its value and what it takes.
  """
  return make_config(_flat(recipe))


def load_config(name: str = _REFERENCE, **changes: object) -> Config:
  """Loads a recipe as a config, for use with `inpaint_video`.

  Args:
    name: the name of a shipped recipe (`flow`, `fast`, `vid`, `vid3d`, `dip`), or a
      path.
    changes: values of keys, as `levels=5`; those of the flow as
      `**{"flow.estimator": "pwcnet"}`.

  Returns:
    The config.

  Raises:
    InputError: there is no such recipe, or a key or value is wrong.
  """
  return parse_recipe(load_recipe(name)).replace(**changes)


@functools.cache
def shipped_recipes() -> Mapping[str, Mapping[str, object]]:
  """The values of every shipped recipe, by file name and key."""
  return {path.name: _flat(load_recipe(path.stem)) for path in _shipped_files()}


def _flat(recipe: ml_collections.ConfigDict) -> dict[str, object]:
  """Values by key, as `CONFIG_KEYS` names them."""
  flat: dict[str, object] = {}
  for key, value in recipe.to_dict().items():
    if isinstance(value, dict):
      flat |= {f"{key}.{inner}": content for inner, content in value.items()}
    else:
      flat[key] = value
  return flat


def _run_file(path: Path) -> ml_collections.ConfigDict:
  spec = importlib.util.spec_from_file_location(f"dipvid_config_{path.stem}", path)
  if spec is None or spec.loader is None:
    raise InputError(f"--config {path}: not a Python file")
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
      raise InputError(f"--config {path}: the file defines no get_config()")
    recipe = module.get_config()
  except InputError:
    raise
  except (Exception, SystemExit) as error:  # a user's file can fail in any way
    # ml_collections adds all fields to its words about an unknown one.
    reason = " ".join(str(error).split(" Other fields")[0].split()).strip("'")
    raise InputError(f"--config {path}: {type(error).__name__}: {reason}") from error
  if not isinstance(recipe, ml_collections.ConfigDict):
    raise InputError(f"--config {path}: get_config() must return a ConfigDict")
  return recipe


def _check_keys(path: Path, values: Mapping[str, object]) -> None:
  """Checks that a file's recipe has every key, with values of the keys' types."""
  begin = f'; begin with load_recipe("{_REFERENCE}")'
  if unknown := sorted(set(values) - set(CONFIG_KEYS)):
    raise InputError(f"--config {path}: unknown key {', '.join(unknown)}{begin}")
  if missing := sorted(set(CONFIG_KEYS) - set(values)):
    few = ", ".join(missing[:_KEYS_NAMED])
    if len(missing) > _KEYS_NAMED:
      few += f" and {len(missing) - _KEYS_NAMED} more"
    raise InputError(f"--config {path}: missing key {few}{begin}")
  for name, key in CONFIG_KEYS.items():
    value = values[name]
    if not (key.has_kind(value) or (value is None and key.optional)):
      raise InputError(
        f"--config {path}: {name} must be of type {key.kind.__name__}, got {value!r}"
      )
