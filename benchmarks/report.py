"""Rows of figures as a Markdown table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def markdown_table(rows: Sequence[dict[str, Any]], columns: Mapping[str, str]) -> str:
  """Lays rows out as a Markdown table.

  Args:
    rows: one dict each; a missing key leaves its cell empty.
    columns: headings by key, in order.

  Returns:
    The table, ending in a line break.
  """
  lines = ["| " + " | ".join(columns.values()) + " |", "| --- " * len(columns) + "|"]
  for row in rows:
    cells = [_cell(row.get(key)) for key in columns]
    lines.append("| " + " | ".join(cells) + " |")
  return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
  if value is None:
    return ""
  return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_json(path: Path, rows: Sequence[dict[str, Any]]) -> None:
  """Writes rows as a JSON list."""
  path.write_text(json.dumps(list(rows), indent=2) + "\n")
