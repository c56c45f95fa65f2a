"""The outcomes of a list of clips, for the terminal and as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from dipvid_jax.clip_lists.job import Outcome
from dipvid_jax.errors import InputError
from dipvid_jax.storage.atomic import replacing


def outcome_table(outcomes: Sequence[Outcome]) -> str:
  """The outcomes of a list, for the terminal.

  Args:
    outcomes: of all clips.

  Returns:
    A line with the counts, then one for each clip that is not done, with the reason.
  """
  counts = {
    state: sum(outcome.state == state for outcome in outcomes)
    for state in ("done", "failed", "running", "waiting")
  }
  shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
  lines = [f"{len(outcomes)} clip{'s' * (len(outcomes) > 1)}: {shown}"]
  rows = [
    (f"line {outcome.line}", outcome.state, outcome.output, outcome.note)
    for outcome in outcomes
    if outcome.state != "done"
  ]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
  for *cells, note in rows:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    lines.append("  ".join((*padded, note)).rstrip())
  return "\n".join(lines)


def check_summary(path: Path) -> None:
  """Checks, before the work, that outcomes can be written and replace nothing else.

  Args:
    path: the file for them.

  Raises:
    InputError: its folder is missing, or it holds something else than outcomes.
  """
  if not path.parent.is_dir():
    raise InputError(f"--summary {path}: there is no folder {path.parent}")
  if not path.exists():
    return
  try:
    with path.open("rb") as file:
      first = file.readline()
  except OSError as error:
    raise InputError(f"--summary {path}: {error.strerror}") from error
  if first.strip() != ",".join(Outcome._fields).encode():
    raise InputError(
      f"--summary {path}: holds something else than outcomes; name another file"
    )


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
  """Writes the outcomes of a list as CSV, whole or not at all.

  Args:
    path: the file.
    outcomes: of all clips.

  Raises:
    OSError: it cannot be written.
  """
  text = io.StringIO(newline="")
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(Outcome._fields)
  writer.writerows(
    outcome._replace(seconds=round(outcome.seconds, 1)) for outcome in outcomes
  )
  with replacing(path) as partial:
    partial.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")
