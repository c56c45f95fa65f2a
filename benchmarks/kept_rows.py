"""Rows that a measurement appends to a file, so that it goes on where it was ended."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class KeptRows:
  """The rows of a file of JSON lines."""

  def __init__(self, path: Path):
    """Reads the file, which may be missing."""
    self._path = path
    self._rows: list[dict[str, Any]] = []
    if path.exists():
      self._rows = [json.loads(line) for line in path.read_text().splitlines()]

  def find(self, key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that hold all values of a key."""
    return [row for row in self._rows if key.items() <= row.items()]

  def add(self, row: dict[str, Any]) -> None:
    """Appends a row to the file and prints it."""
    self._rows.append(row)
    with self._path.open("a") as file:
      file.write(json.dumps(row) + "\n")
    print(row, flush=True)
