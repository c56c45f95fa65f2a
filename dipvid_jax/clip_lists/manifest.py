"""A list of clips: a CSV file, read and checked before anything runs."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from dipvid_jax.errors import InputError
from dipvid_jax.storage.csv_lines import read_csv_lines

_FILES = ("video", "mask")
_PATHS = (*_FILES, "flow.weights")
_SET = ("tfds", "video_id")
_SHORT = {"object": "mask_object"}  # the flag's name


class ManifestRow(NamedTuple):
  """A clip of a manifest.

  Attributes:
    line: its line in the file, from 1.
    output: the folder for its results.
    config: the config's name or path; None if the row has none.
    settings: the other cells that are not empty, as written, by config key. Paths
      are joined to the manifest's folder.
  """

  line: int
  output: Path
  config: str | None
  settings: dict[str, str]


def read_manifest(path: Path, *, keys: Collection[str]) -> list[ManifestRow]:
  """Reads a manifest.

  A CSV file in UTF-8 whose first line names the columns: output; video and mask, or
  tfds and video_id; and any of config, `config.KEY`, or KEY alone. Paths are relative
  to the manifest's folder. An empty cell leaves its setting alone.

  Args:
    path: the file.
    keys: the config's keys; those of a nested config have a dot.

  Returns:
    One row per clip, in the file's order.

  Raises:
    InputError: one line that names the file and its line.
  """
  lines = read_csv_lines(path)
  number, header = next(lines, (1, []))
  names = _columns(f"{path}, line {number}", header, keys)
  rows = []
  outputs: dict[Path, int] = {}
  for number, cells in lines:
    place = f"{path}, line {number}"
    if len(cells) != len(names):
      raise InputError(
        f"{place}: has {len(cells)} cells, the first line has {len(names)}; put cells"
        " with a comma into double quotes"
      )
    row = _row(place, number, dict(zip(names, cells, strict=True)), path.parent)
    earlier = outputs.setdefault(row.output.resolve(), number)
    if earlier != number:
      raise InputError(
        f"{place}: output {row.output} is already used in line {earlier}; name"
        " another folder"
      )
    rows.append(row)
  if not rows:
    raise InputError(f"{path}, line {number}: no clips follow; add one line per clip")
  return rows


def _columns(place: str, header: list[str], keys: Collection[str]) -> list[str]:
  """The config keys that the first line names."""
  if not header:
    raise InputError(f"{place}: is empty; the first line names the columns")
  names = [_SHORT.get(name, name).removeprefix("config.") for name in header]
  for name, written in zip(names, header, strict=True):
    if name != "config" and name not in keys:
      raise InputError(
        f"{place}: unknown column {written!r}; the first line names the columns,"
        " separated by commas: output, video, mask, config or keys of the config"
      )
    if names.count(name) > 1:
      raise InputError(f"{place}: column {written!r} appears twice")
  if "output" not in names:
    raise InputError(f"{place}: has no column output")
  if not any(set(pair) <= set(names) for pair in (_FILES, _SET)):
    raise InputError(f"{place}: has no columns video and mask, nor tfds and video_id")
  return names


def _row(place: str, number: int, cells: dict[str, str], folder: Path) -> ManifestRow:
  settings = {name: cell for name, cell in cells.items() if cell}
  output = settings.pop("output", None)
  if output is None:
    raise InputError(f"{place}: output is empty")
  given = _SET if "tfds" in settings else _FILES
  other = _FILES if given is _SET else _SET
  for name in given:
    if name not in settings:
      raise InputError(f"{place}: {name} is empty")
  for name in other:
    if name in settings:
      raise InputError(f"{place}: {given[0]} and {name} exclude each other")
  for name in (name for name in _PATHS if name in settings):
    settings[name] = str(folder / settings[name])
    if not _exists(Path(settings[name])):
      raise InputError(f"{place}: {name} {settings[name]}: no such file or folder")
  config = settings.pop("config", None)
  if config and Path(config).parent != Path():  # else the name of a shipped one
    config = str(folder / config)
  if given is _SET and _exists(folder / settings["tfds"]):  # else a data set's name
    settings["tfds"] = str(folder / settings["tfds"])
  return ManifestRow(number, folder / output, config, settings)


def _exists(path: Path) -> bool:
  try:
    return path.exists()
  except OSError:  # an impossible file name, a folder without permission
    return False
