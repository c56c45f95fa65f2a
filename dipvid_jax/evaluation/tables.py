"""Tables of an evaluation as Markdown, CSV and JSON.

A value that is not measured is NaN: "not measured" in Markdown, empty in CSV, null in
JSON. An infinite value is "inf" everywhere.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.summary import Evaluation, Values, list_columns
from dipvid_jax.storage.atomic import replacing

# Digits after the point, by the last word of a column.
_DIGITS = {"psnr": 2, "ssim": 4, "paper": 2, "pooled": 2, "frames": 0}


def format_value(column: str, value: float) -> str:
  """A value as it stands in a Markdown table."""
  if math.isnan(value):
    return "not measured"
  digits = _DIGITS.get("frames" if column == "videos" else column.split("_")[-1])
  return f"{value:.4g}" if digits is None else f"{value:.{digits}f}"


def markdown(evaluation: Evaluation) -> str:
  """The whole evaluation as Markdown: settings, notes, means, videos, table 2."""
  lines = [f"## {evaluation.name}", ""]
  lines += [f"- {key}: {value}" for key, value in evaluation.settings.items()]
  lines += [f"- note: {note}" for note in evaluation.notes]
  lines += ["", *_measures_down(evaluation)]
  if len(evaluation.rows) > 1:
    lines += ["", *_videos_down(evaluation.rows)]
  for protocol in ("paper", "sttn"):
    if f"{protocol}_psnr" in evaluation.summary["all"]:
      lines += ["", table_2({evaluation.name: evaluation.summary}, protocol=protocol)]
  return "\n".join(lines) + "\n"


def _measures_down(evaluation: Evaluation) -> list[str]:
  """One line per measure: the only video, or the means of each part."""
  summary = evaluation.summary
  one = len(evaluation.rows) == 1
  heads = [*evaluation.rows] if one else [f"{part} (mean)" for part in summary]
  lines = [_line(["measure", *heads]), _line(["---", *["---:"] * len(heads)])]
  for column in summary["all"]:
    cells = (format_value(column, values[column]) for values in summary.values())
    lines.append(_line([column, *cells]))
  return lines


def _videos_down(rows: Mapping[str, Values]) -> list[str]:
  """One line per video."""
  columns = list_columns(rows.values())
  lines = [_line(["video", *columns]), _line(["---", *["---:"] * len(columns)])]
  for name, row in rows.items():
    cells = (format_value(column, row.get(column, math.nan)) for column in columns)
    lines.append(_line([name, *cells]))
  return lines


def table_2(
  summaries: Mapping[str, Mapping[str, Values]], *, protocol: str = "paper"
) -> str:
  """The paper's table 2 as Markdown: PSNR/SSIM over all, complex and simple videos.

  Args:
    summaries: from `summarise`, by method.
    protocol: `paper`, the paper's own, or `sttn`.

  Returns:
    A line for each method; PSNR and SSIM as the paper writes them, 32.1/.969.
  """
  parts = ("all", "complex", "simple")
  lines = [
    _line([f"PSNR/SSIM {protocol}", *(part.capitalize() for part in parts)]),
    _line(["---"] * 4),
  ]
  for method, summary in summaries.items():
    cells = [_pair(summary.get(part, {}), protocol) for part in parts]
    lines.append(_line([method, *cells]))
  return "\n".join(lines)


def _pair(values: Values, protocol: str) -> str:
  psnr, ssim = (values.get(f"{protocol}_{kind}", math.nan) for kind in ("psnr", "ssim"))
  if math.isnan(psnr):
    return "not measured"
  return f"{psnr:.1f}/{f'{ssim:.3f}'.removeprefix('0')}"


def _line(cells: Sequence[str]) -> str:
  return f"| {' | '.join(cells)} |"


def write_markdown(path: Path, evaluation: Evaluation) -> None:
  """Writes the text of `markdown`; the file appears only when complete."""
  _write(path, markdown(evaluation))


def write_csv(path: Path, evaluation: Evaluation) -> None:
  """Writes a line for each video and each mean, with every digit."""
  rows = [("video", name, row) for name, row in evaluation.rows.items()]
  rows += [("mean", part, row) for part, row in evaluation.summary.items()]
  columns = list_columns(row for *_, row in rows)
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(["kind", "name", *columns])
  for kind, name, row in rows:
    values = (row.get(column, math.nan) for column in columns)
    writer.writerow([kind, name, *("" if math.isnan(v) else v for v in values)])
  _write(path, text.getvalue())


def write_json(path: Path, evaluation: Evaluation) -> None:
  """Writes the whole evaluation, with every digit."""
  content = {
    "name": evaluation.name,
    "settings": dict(evaluation.settings),
    "notes": [*evaluation.notes],
    "videos": {name: _plain(row) for name, row in evaluation.rows.items()},
    "summary": {part: _plain(row) for part, row in evaluation.summary.items()},
  }
  _write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def check_writable(paths: Iterable[Path], *, overwrite: bool) -> None:
  """Checks, before the work, that tables can be written.

  Args:
    paths: of the files.
    overwrite: whether files may exist already.

  Raises:
    InputError: a file exists already, or its folder does not.
  """
  for path in paths:
    if not path.parent.is_dir():
      raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    if path.is_dir() or (path.exists() and not overwrite):
      raise InputError(f"{path}: already exists; name another file or add --overwrite")


def _plain(values: Values) -> dict[str, float | str | None]:
  """Values that JSON can hold."""
  return {
    column: None if math.isnan(value) else value if math.isfinite(value) else "inf"
    for column, value in values.items()
  }


def _write(path: Path, text: str) -> None:
  try:
    with replacing(path) as partial:
      partial.write_text(text)
  except OSError as error:
    raise InputError(f"{path}: cannot be written ({error.strerror})") from error
