"""Files of JSON lines that grow during a run: one object per line."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dipvid_jax.storage.atomic import naming, replacing

_TAIL_BYTES = 16_384  # some rows


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
  _write(path, kept)


def replace_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, window: int) -> None:
  """Replaces a window's rows by others; the windows stand in their order.

  Args:
    path: the file; made where it is missing and there are rows.
    rows: of the window.
    window: from 1; the rows of other windows are kept.
  """
  if not rows and not path.exists():
    return
  kept = [row for row in read_rows(path) if row["window"] != window]
  _write(path, sorted([*kept, *rows], key=lambda row: row["window"]))


def last_row(path: Path) -> dict[str, Any]:
  """Reads the last complete row, and not the whole file for it.

  Args:
    path: the file; it may be missing, or be written right now.

  Returns:
    The row; empty if there is none.
  """
  try:
    with path.open("rb") as file:
      size = file.seek(0, os.SEEK_END)
      file.seek(max(0, size - _TAIL_BYTES))
      lines = file.read().split(b"\n")[:-1]  # what follows the last break is half a row
  except OSError:
    return {}
  for line in reversed(lines):
    with contextlib.suppress(ValueError):
      if isinstance(row := json.loads(line), dict):
        return row
  return {}


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
  with replacing(path) as partial:
    partial.write_text("".join(json.dumps(row) + "\n" for row in rows))
