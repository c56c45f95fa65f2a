"""Writes the docs' table of config keys: `python -m dipvid_jax.cli.config_table`."""

import sys

from dipvid_jax.method.key_table import keys_markdown
from dipvid_jax.method.recipes import shipped_recipes

RECIPES = ("flow.py", "fast.py")  # the recipes whose values the table shows
_HEAD = """\
# Configuration

A recipe in `configs/` sets every key; `bin/inpaint --config fast.py
--config.KEY=VALUE` changes one, and so does `dipvid_jax.load_config("fast", KEY=VALUE)`
in Python. A recipe of your own is a Python file that begins with a shipped one:

    from dipvid_jax import load_recipe


    def get_config():
      recipe = load_recipe("fast")
      recipe.rounds = 8
      return recipe

Types, ranges and meanings are those of the dataclasses in
`dipvid_jax/method/config.py`, from which this page is made
(`python -m dipvid_jax.cli.config_table > docs/configuration.md`). `-` is not set. Keys
with `flow.` in front are set as `--config.flow.estimator=pwcnet`.

"""


def page() -> str:
  """The page in Markdown."""
  return _HEAD + keys_markdown(shipped_recipes(), names=RECIPES)


if __name__ == "__main__":
  sys.stdout.write(page())
