"""Configs: every key has a type, a range and a meaning; values are checked once."""

import dataclasses
import pathlib
import re

import pytest

import dipvid_jax
from dipvid_jax.cli import config_table, inpaint
from dipvid_jax.errors import InputError
from dipvid_jax.method.config import CONFIG_KEYS, make_config
from dipvid_jax.method.recipes import (
  load_config,
  load_recipe,
  parse_recipe,
  shipped_recipes,
)

_DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
NUMBERS = [name for name, key in CONFIG_KEYS.items() if key.kind in (int, float)]


def test_a_recipe_has_every_key_and_no_other():
  for recipe in shipped_recipes().values():
    assert set(recipe) == set(CONFIG_KEYS)
  assert len(CONFIG_KEYS) <= 53


def test_every_key_has_a_meaning_and_a_range():
  for key in CONFIG_KEYS.values():
    assert re.fullmatch(r"[A-Za-z].{8,}\.", key.rule.meaning), key.name
    if key.kind in (int, float) and not key.rule.choices:
      assert (
        "or more" in key.values() or " to " in key.values() or "above" in key.values()
      )


def test_a_config_goes_to_plain_values_and_back():
  for name in shipped_recipes():
    config = load_config(name)
    assert make_config(config.values()) == config
    assert config.to_dict() == load_recipe(name).to_dict()


def test_a_config_cannot_be_changed_but_replaced():
  config = load_config("fast")
  with pytest.raises(dataclasses.FrozenInstanceError):
    config.seed = 3
  other = config.replace(levels=5, **{"flow.estimator": "auto"})
  assert (other.network.levels, other.flow.estimator) == (5, "auto")
  assert (config.network.levels, config.flow.estimator) == (6, "dis")
  assert load_config("fast", levels=5, **{"flow.estimator": "auto"}) == other


def test_a_recipe_with_values_set_is_a_config():
  recipe = load_recipe("fast")
  recipe.levels = 5
  recipe.flow.estimator = "auto"
  assert parse_recipe(recipe) == load_config(
    "fast", levels=5, **{"flow.estimator": "auto"}
  )


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e12, True, "x"])
def test_a_number_out_of_its_range_is_one_line(name, value):
  with pytest.raises(
    InputError, match=rf"^config\.{re.escape(name)}: must be"
  ) as error:
    load_config("flow", **{name: value})
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    ({"roundz": 1}, "unknown key roundz"),
    ({"rounds": 1.5}, "config.rounds: must be of type int, got 1.5"),
    ({"rounds": None}, "config.rounds: must be of type int, got None"),
    ({"strides": 3}, "config.strides: must be of type tuple, got 3"),
    ({"strides": ("a",)}, "config.strides: must be different numbers above 0"),
    ({"carry": 1}, "config.carry: must be of type bool, got 1"),
    ({"fit": "squeeze"}, "config.fit: 'squeeze' is not one of crop, pad"),
    ({"flow.estimator": "raft"}, "config.flow.estimator: 'raft' is not one of"),
    ({"mask_object": 256}, "config.mask_object: must be 1 to 255, got 256"),
    ({"learning_rate": 0}, "config.learning_rate: must be above 0, got 0"),
    ({"levels": 7}, "config.levels: must be 1 to 6, got 7"),
    ({"size": (192,)}, r"config.size: must be \(height, width\)"),
  ],
)
def test_a_wrong_key_or_value_is_one_line(changes, said):
  with pytest.raises(InputError, match=said) as error:
    load_config("flow", **changes)
  assert "\n" not in str(error.value)


def test_a_missing_key_is_named():
  values = load_config("flow").values()
  del values["rounds"]
  with pytest.raises(InputError, match="missing key rounds"):
    make_config(values)


def test_a_config_dict_is_no_config():
  with pytest.raises(InputError, match="must come from load_config, got ConfigDict"):
    dipvid_jax.inpaint_video(None, None, config=load_recipe("flow"))


def test_help_and_docs_have_every_key():
  text = inpaint.make_parser().format_help()
  page = (_DOCS / "configuration.md").read_text()
  for name in CONFIG_KEYS:
    assert re.search(rf"^  {re.escape(name)}\b", text, re.MULTILINE), name
  assert page == config_table.page(), "run python -m dipvid_jax.cli.config_table"


def test_the_docs_recipe_runs(tmp_path):
  page = (_DOCS / "configuration.md").read_text()
  example = page[page.index("    from dipvid_jax import") : page.index("Types, ranges")]
  lines = [line.removeprefix("    ") for line in example.splitlines()]
  (tmp_path / "own.py").write_text("\n".join(lines))
  assert load_config(str(tmp_path / "own.py")) == load_config("fast", rounds=8)
