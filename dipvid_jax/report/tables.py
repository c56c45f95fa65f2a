"""The tables of a run's report as plain values: settings, times, clip, versions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# The values of each shipped config by file name, such as "fast.py".
Recipes = Mapping[str, Mapping[str, object]]

_OF_THE_RUN = (
  *("video", "mask", "tfds", "video_id", "output", "input_sha256"),
  "cpu_threads",
)
_NO_METHOD = ("demo.py",)  # `fast.py` with a budget
_MOST_ROUNDS = 200


class Setting(NamedTuple):
  """A config key and its value, with the recipe's value where that differs."""

  key: str
  value: str
  shipped: str = ""


class SettingsTable(NamedTuple):
  """A run's settings, compared with the nearest recipe.

  Attributes:
    recipe: the recipe's file name.
    changed: settings that differ from the recipe.
    rest: all others.
  """

  recipe: str
  changed: list[Setting]
  rest: list[Setting]


class FactTable(NamedTuple):
  """A titled table of names and values."""

  title: str
  rows: dict[str, str]


def nearest_config(
  values: Mapping[str, object], *, recipes: Recipes
) -> tuple[str, dict[str, object]]:
  """Finds the recipe that differs in the fewest keys.

  Args:
    values: a config's plain values, as JSON has them.
    recipes: the shipped configs.

  Returns:
    The recipe's file name, and its values without those that belong to a run.
  """
  shipped = {
    name: _plain(recipes[name]) for name in sorted(recipes) if name not in _NO_METHOD
  }
  ours = _plain(values)

  def differing(name: str) -> int:
    return sum(ours.get(key) != value for key, value in shipped[name].items())

  nearest = min(shipped, key=differing)
  return nearest, shipped[nearest]


def settings_table(values: Mapping[str, object], *, recipes: Recipes) -> SettingsTable:
  """Compares a run's settings with the nearest recipe.

  Args:
    values, recipes: as `nearest_config`.

  Returns:
    The settings in the order of `values`.
  """
  name, shipped = nearest_config(values, recipes=recipes)
  ours = _plain(values)
  table = SettingsTable(name, [], [])
  for key, value in ours.items():
    if value == shipped.get(key):
      table.rest.append(Setting(key, _word(value)))
    else:
      table.changed.append(Setting(key, _word(value), _word(shipped.get(key))))
  return table


def fact_tables(config: Mapping[str, Any], facts: Mapping[str, Any]) -> list[FactTable]:
  """Tables of times, the clip, versions and device.

  Args:
    config: a config's plain values, as JSON has them.
    facts: from `parts.read_facts`.

  Returns:
    The tables, without facts that are missing.
  """
  times = {stage: duration(taken) for stage, taken in facts.get("seconds", {}).items()}
  clip = {
    key: str(config[key])
    for key in ("video", "mask", "tfds", "video_id")
    if config.get(key)
  }
  if "frames" in facts:
    hole, frames = facts["hole"], facts["frames"]
    size, working = _size(facts["input_size"]), _size(facts["working_size"])
    clip |= {
      "frames": f"{frames:,} at {facts['frame_rate']:.5g} a second",
      "size": f"{size}, worked on at {working} (height x width)",
      "hole": f"{hole['mean_share']:.2%} of the pixels, in the fullest frame"
      f" {hole['largest_share']:.2%}; in {hole['frames']} of {frames} frames",
    }
  device = {
    "device": facts.get("device"),
    "CPU threads": config.get("cpu_threads"),
    "matmul precision": facts.get("matmul_precision"),
    **facts.get("versions", {}),
  }
  known = {name: str(value) for name, value in device.items() if value is not None}
  return [
    FactTable("Time by stage", times),
    FactTable("The clip", clip),
    FactTable("Versions and device", known),
  ]


def round_rows(rounds: Sequence[Mapping[str, Any]]) -> list[list[str]]:
  """The cells of the table of rounds, for the last 200 rounds.

  Args:
    rounds: the rows of `rounds.jsonl`.

  Returns:
    For each round: window, round, updates, held-out PSNR, time since the start.
  """
  rows = []
  for row in rounds[-_MOST_ROUNDS:]:
    psnr = row.get("holdout_psnr")
    rows.append(
      [
        str(row["window"]),
        str(row.get("round", "")),
        f"{row['update']:,}",
        "" if psnr is None else f"{psnr:.2f}",
        duration(row.get("seconds", 0)),
      ]
    )
  return rows


def duration(seconds: float) -> str:
  """Seconds in words: `12.3 s`, `3 min 5 s`, `2 h 4 min`."""
  if seconds < 60:
    return f"{seconds:.1f} s"
  minutes, rest = divmod(round(seconds), 60)
  if minutes < 60:
    return f"{minutes} min {rest} s"
  return f"{minutes // 60:,} h {minutes % 60} min"


def _size(size: Sequence[int]) -> str:
  return f"{size[0]} x {size[1]}"


def _plain(values: Mapping[str, object]) -> dict[str, object]:
  """Flat values with dotted names, as they come back from JSON."""
  plain: dict[str, object] = {}
  for key, value in json.loads(json.dumps(dict(values))).items():
    if isinstance(value, dict):
      plain |= {f"{key}.{inner}": content for inner, content in value.items()}
    elif key not in _OF_THE_RUN:
      plain[key] = value
  return plain


def _word(value: object) -> str:
  if value is None:
    return "not set"
  if isinstance(value, list):
    return ", ".join(map(str, value))
  return str(value)
