"""`metrics.jsonl`: a row of a run's figures on each line."""

import json
from pathlib import Path
from typing import Any

from dipvid_jax.atomic import replacing


def append_row(path: Path, row: dict[str, Any]) -> None:
  """Adds a line.

  Args:
    path: the file, made where it is missing.
    row: plain values, with the number of updates done as `update`.
  """
  with path.open("a") as file:
    file.write(json.dumps(row) + "\n")


def keep_rows(path: Path, *, updates: int) -> None:
  """Drops lines after so many updates: a resumed run writes them again.

  Args:
    path: the file; it may be missing.
    updates: the number of updates that the run goes on from.
  """
  if not path.exists():
    return
  kept = []
  for line in path.read_text().splitlines():
    try:
      if json.loads(line)["update"] <= updates:
        kept.append(f"{line}\n")
    except (ValueError, KeyError):
      break  # cut off in the middle of a write
  with replacing(path) as partial:
    partial.write_text("".join(kept))
