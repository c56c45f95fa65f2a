"""Figures of a study on disk: JSON to continue from, CSV for other programs."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dipvid_jax.storage.atomic import replacing


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
  """Writes rows as `PATH.json` and `PATH.csv`.

  Args:
    path: without a suffix.
    rows: one dict each; columns keep the order in which they first appear.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  with replacing(path.with_suffix(".json")) as partial:
    partial.write_text(json.dumps(list(rows), indent=1) + "\n")
  columns = list(dict.fromkeys(key for row in rows for key in row))
  with (
    replacing(path.with_suffix(".csv")) as partial,
    partial.open("w", newline="") as file,
  ):
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads `PATH.json`; no rows if the file does not exist."""
  file = path.with_suffix(".json")
  return json.loads(file.read_text()) if file.exists() else []
