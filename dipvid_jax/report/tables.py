"""The tables of a run's report: settings, times, the clip, versions."""

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

# The values of each shipped config by file name, such as "fast.py".
Recipes = Mapping[str, Mapping[str, object]]

# Of one run, not of a method. `demo.py` is `fast.py` with a budget.
_OF_THE_RUN = ("video", "mask", "tfds", "video_id", "output", "input_sha256")
_NO_METHOD = ("demo.py",)


def nearest_config(
  values: Mapping[str, object], *, recipes: Recipes
) -> tuple[str, dict[str, Any]]:
  """Finds the recipe that differs in the fewest keys.

  Args:
    values: a config's plain values, as JSON has them.
    recipes: the shipped configs; see `Recipes`.

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


def settings_table(values: Mapping[str, object], *, recipes: Recipes) -> str:
  """A card with the settings, those that differ from the nearest config's first.

  Args:
    values, recipes: as `nearest_config`.

  Returns:
    HTML.
  """
  name, shipped = nearest_config(values, recipes=recipes)
  ours = _plain(values)
  changed = [key for key in ours if ours[key] != shipped.get(key)]
  rows = [
    _row(key, ours[key], f"{_word(shipped.get(key))} in {name}") for key in changed
  ]
  rest = [_row(key, ours[key], "") for key in ours if key not in changed]
  said = f"As {html.escape(name)}" + (", but for:" if changed else ".")
  return (
    f'<div class="card"><h3>Settings</h3><p>{said}</p><table>{"".join(rows)}</table>'
    f"<details><summary>All others</summary><table>{''.join(rest)}</table></details>"
    "</div>"
  )


def fact_tables(config: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterable[str]:
  """Cards with times, the clip, versions and device.

  Args:
    config: as `nearest_config`.
    facts: from `report_parts.read_facts`.

  Yields:
    HTML.
  """
  yield _two_columns(
    "Time by stage",
    {stage: duration(taken) for stage, taken in facts.get("seconds", {}).items()},
  )
  clip = {
    key: config[key] for key in ("video", "mask", "tfds", "video_id") if config.get(key)
  }
  if "frames" in facts:
    hole = facts["hole"]
    clip |= {
      "frames": f"{facts['frames']:,} at {facts['frame_rate']:.5g} a second",
      "size": f"{_size(facts['input_size'])}, worked on at {_size(facts['working_size'])}",
      "hole": f"{hole['mean_share']:.2%} of the pixels, in the fullest frame"
      f" {hole['largest_share']:.2%}; in {hole['frames']} of {facts['frames']} frames",
    }
  yield _two_columns("The clip", clip)
  yield _two_columns(
    "Versions and device", {"device": facts.get("device"), **facts.get("versions", {})}
  )


def _two_columns(title: str, values: Mapping[str, Any]) -> str:
  """A card with a table of names and values; what is None is left out."""
  rows = "".join(
    f'<tr><th scope="row">{html.escape(str(name))}</th>'
    f"<td>{html.escape(str(value))}</td></tr>"
    for name, value in values.items()
    if value is not None
  )
  return f'<div class="card"><h3>{html.escape(title)}</h3><table>{rows}</table></div>'


def duration(seconds: float) -> str:
  """Seconds in words: `12.3 s`, `3 min 5 s`, `2 h 4 min`."""
  if seconds < 60:
    return f"{seconds:.1f} s"
  minutes, rest = divmod(round(seconds), 60)
  if minutes < 60:
    return f"{minutes} min {rest} s"
  return f"{minutes // 60:,} h {minutes % 60} min"


def _size(size) -> str:
  return f"{size[1]} x {size[0]}"


def _plain(values) -> dict[str, Any]:
  """Flat values with dotted names, as they come back from JSON."""
  plain: dict[str, Any] = {}
  for key, value in json.loads(json.dumps(dict(values))).items():
    if isinstance(value, dict):
      plain |= {f"{key}.{inner}": content for inner, content in value.items()}
    elif key not in _OF_THE_RUN:
      plain[key] = value
  return plain


def _row(key, value, note):
  kind = ' class="changed"' if note else ""
  aside = f' <span class="quiet">({html.escape(note)})</span>' if note else ""
  return (
    f'<tr{kind}><th scope="row">{html.escape(key)}</th>'
    f"<td>{html.escape(_word(value))}{aside}</td></tr>"
  )


def _word(value) -> str:
  if value is None:
    return "not set"
  if isinstance(value, list):
    return ", ".join(map(str, value))
  return str(value)
