"""The keys of a config as text for `--help` and as a table for the docs."""

import textwrap
from collections.abc import Mapping, Sequence

from dipvid_jax.method.config import CONFIG_KEYS

_NAME_WIDTH, _LINE_WIDTH = 24, 80


def keys_text() -> str:
  """Every key with its values and its meaning, wrapped for a terminal."""
  lines = []
  for key in CONFIG_KEYS.values():
    text = textwrap.wrap(
      f"{key.rule.meaning} ({key.values()})", _LINE_WIDTH - _NAME_WIDTH
    )
    first, *rest = text
    name = f"  {key.name}".ljust(_NAME_WIDTH)
    if len(key.name) + 3 > _NAME_WIDTH:
      name, first, rest = f"  {key.name}", "", text
    lines.append(f"{name}{first}".rstrip())
    lines += [" " * _NAME_WIDTH + line for line in rest]
  return "\n".join(lines)


def keys_markdown(
  recipes: Mapping[str, Mapping[str, object]], *, names: Sequence[str]
) -> str:
  """Every key with its meaning, values and what recipes set.

  Args:
    recipes: values by file name and key, as `shipped_recipes`.
    names: the file names of the recipes to show.

  Returns:
    A table in Markdown.
  """
  heads = ["key", "meaning", "values", *(f"`{name}`" for name in names)]
  rows = [heads, ["---"] * len(heads)]
  for key in CONFIG_KEYS.values():
    shown = [_word(recipes[name][key.name]) for name in names]
    rows.append([f"`{key.name}`", key.rule.meaning, key.values(), *shown])
  return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _word(value: object) -> str:
  if value is None:
    return "-"
  if isinstance(value, tuple | list):
    return ", ".join(map(str, value))
  return str(value)
