"""Files of JSON lines that grow during a run: one object per line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dipvid_jax.storage.atomic import naming, replacing


def append_row(path: Path, row: Mapping[str, object]) -> None:
  """Appends a row as one line."""
  with naming(path), path.open("a") as file:
    file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads the rows up to the first incomplete line.

  Args:
    path: the file; if it is missing, there are no rows.

  Returns:
    The rows, each with its `update` and its `window`, which is 1 in files of older
    versions.
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
  """Drops a window's rows after a number of updates, and incomplete lines.

  Args:
    path: the file; it may be missing.
    updates: the last `update` to keep.
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
