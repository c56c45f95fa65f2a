"""Files of rows that grow while a run goes on: a JSON object a line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dipvid_jax.storage.atomic import replacing


def append_row(path: Path, row: Mapping[str, object]) -> None:
  """Adds a line."""
  with path.open("a") as file:
    file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads the lines before the first one that was cut off while it was written.

  Args:
    path: the file; one that is missing has no rows.

  Returns:
    The rows, each with its `update`, and with its `window`, which is 1 where a run of
    an older version has none.
  """
  rows: list[dict[str, Any]] = []
  if not path.exists():
    return rows
  for line in path.read_text().splitlines():
    try:
      row = {"window": 1} | json.loads(line)
      row["update"]
    except (ValueError, KeyError, TypeError):
      break
    rows.append(row)
  return rows


def keep_rows(path: Path, *, updates: int, window: int = 1) -> None:
  """Drops a window's rows after so many updates, and what was cut off.

  Args:
    path: the file; one that is missing stays so.
    updates: the last `update` that is kept.
    window: from 1; the rows of other windows are kept.
  """
  if not path.exists():
    return
  kept = [
    row
    for row in read_rows(path)
    if row["window"] != window or row["update"] <= updates
  ]
  with replacing(path) as partial:
    partial.write_text("".join(json.dumps(row) + "\n" for row in kept))
