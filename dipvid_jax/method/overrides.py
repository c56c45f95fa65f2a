"""A recipe with the values that a command line sets in it."""

from collections.abc import Mapping, Sequence

from absl import flags
from ml_collections import config_flags

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config
from dipvid_jax.method.recipes import find_recipe, load_recipe, parse_recipe


def read_config(
  name: str,
  overrides: Sequence[str] = (),
  *,
  values: Mapping[str, object] | None = None,
) -> Config:
  """Loads a recipe and sets values in it.

  Args:
    name: see `find_recipe`.
    overrides: words of a command line, `--config.KEY=VALUE` each.
    values: by key, such as those of a command's own flags; they come last.

  Returns:
    The config.

  Raises:
    InputError: an unknown flag or key, or a wrong value.
  """
  recipe = load_recipe(name)
  parsed = flags.FlagValues()
  argv = ["inpaint", *overrides]
  try:
    config_flags.DEFINE_config_dict("config", recipe, flag_values=parsed, sys_argv=argv)
    left = parsed(argv)
  except (AttributeError, KeyError) as error:
    reason = str(error).strip("\"'").replace("\\n", " ").replace("\\'", "'")
    raise InputError(f"unknown config key {reason} See {find_recipe(name)}") from error
  except (flags.Error, TypeError, ValueError) as error:
    reason = " ".join(str(error).split())
    raise InputError(f"{reason}; see --help and {find_recipe(name)}") from error
  if left[1:]:
    raise InputError(f"unexpected {' '.join(left[1:])}; see --help")
  for key, value in (values or {}).items():
    recipe[key] = value
  return parse_recipe(recipe)
