"""The report's tables: the nearest recipe, and durations in words."""

import json

import pytest

from dipvid_jax.method.recipes import load_config, shipped_recipes
from dipvid_jax.report.tables import duration, nearest_config

RECIPES = shipped_recipes()


@pytest.mark.parametrize("name", ["dip", "fast", "flow", "vid", "vid3d"])
def test_the_nearest_config_is_the_one_that_was_changed(name):
  config = load_config(
    name, **{"levels": 5, "seed": 7, "video": "v.mp4", "output": "out"}
  )
  values = json.loads(json.dumps(config.to_dict()))
  nearest, shipped = nearest_config(values, recipes=RECIPES)
  assert nearest == f"{name}.py"
  assert (shipped["levels"], "video" in shipped) == (6, False)


@pytest.mark.parametrize(
  ("seconds", "words"), [(9.96, "10.0 s"), (60, "1 min 0 s"), (7500, "2 h 5 min")]
)
def test_durations_are_in_words(seconds, words):
  assert duration(seconds) == words
