"""Means over a set of videos, and tables of them as Markdown, CSV and JSON.

A value that is not measured is NaN: "not measured" in Markdown, empty in CSV, null in
JSON. An infinite one is "inf" everywhere.
"""

import csv
import dataclasses
import io
import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.storage.atomic import replacing

Values = Mapping[str, float]
# The field pools the frames of all videos; a mean that each video enters by its frames.
_BY_FRAMES = ("sttn_psnr", "sttn_ssim")
_POOLED_FID = "fid_pooled"
# Digits after the point, by the last word of a column.
_DIGITS = {"psnr": 2, "ssim": 4, "paper": 2, "pooled": 2, "frames": 0}


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What an evaluation found.

  Attributes:
    name: of the system whose results they are.
    settings: what the figures depend on, as plain values.
    notes: what a reader has to know, a line each.
    rows: `{video: {column: value}}`.
    summary: `{partition: {column: mean}}`, from `summarise`.
  """

  name: str
  settings: Mapping[str, Any]
  notes: Sequence[str]
  rows: Mapping[str, Values]
  summary: Mapping[str, Values]


def partition(
  complexities: Mapping[str, float], *, threshold: float | None = None
) -> dict[str, list[str]]:
  """Splits videos into simple and complex ones.

  Args:
    complexities: by video.
    threshold: a video above it is complex; None takes the median of the set, so that
      the halves are equal (of an odd number, the middle one is simple).

  Returns:
    The names under `complex` and `simple`.

  Reference: Zhang et al., ICCV 2019, section 4.2.
  """
  limit = threshold
  if limit is None:
    limit = statistics.median(complexities.values())
  parts: dict[str, list[str]] = {"complex": [], "simple": []}
  for name, value in complexities.items():
    parts["complex" if value > limit else "simple"].append(name)
  return parts


def summarise(
  rows: Mapping[str, Values],
  *,
  threshold: float | None = None,
  pooled_fid: Callable[[Sequence[str]], float] | None = None,
) -> dict[str, dict[str, float]]:
  """Means over all videos, and over the complex and the simple ones.

  Each video counts once, but in the columns of `sttn` each frame. A mean of which one
  video is not measured is not measured: over the others it would be of another set.

  Args:
    rows: `{video: values}`, values as `evaluate_clip` returns them.
    threshold: see `partition`.
    pooled_fid: FID of the frames of so many videos together; without it the pooled
      FID of several videos is not measured (it is no mean).

  Returns:
    `{partition: {column: mean}}`: `all`, and where complexity is measured and neither
    part is empty `complex` and `simple`. `videos` is their number, `frames` the sum.
  """
  parts = {"all": [*rows]}
  complexities = {
    name: row["complexity"] for name, row in rows.items() if "complexity" in row
  }
  if complexities.keys() == rows.keys() and rows:
    halves = partition(complexities, threshold=threshold)
    if all(halves.values()):
      parts |= halves
  return {part: _means(rows, names, pooled_fid) for part, names in parts.items()}


def _means(rows, names, pooled_fid):
  chosen = [rows[name] for name in names]
  columns = _columns(chosen)
  frames = [row["frames"] for row in chosen]
  means = {"videos": float(len(chosen)), "frames": float(sum(frames))}
  for column in columns:
    if column == "frames":
      continue
    values = [row.get(column, math.nan) for row in chosen]
    if column == _POOLED_FID and len(chosen) > 1:
      means[column] = pooled_fid(names) if pooled_fid else math.nan
    else:
      weights = frames if column in _BY_FRAMES else None
      means[column] = float(np.average(values, weights=weights))
  return means


def format_value(column: str, value: float) -> str:
  """A value as a table shows it."""
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


def _measures_down(evaluation):
  summary = evaluation.summary
  one = len(evaluation.rows) == 1
  heads = [*evaluation.rows] if one else [f"{part} (mean)" for part in summary]
  lines = [_line(["measure", *heads]), _line(["---", *["---:"] * len(heads)])]
  for column in summary["all"]:
    cells = (format_value(column, values[column]) for values in summary.values())
    lines.append(_line([column, *cells]))
  return lines


def _videos_down(rows):
  columns = _columns(rows.values())
  lines = [_line(["video", *columns]), _line(["---", *["---:"] * len(columns)])]
  for name, row in rows.items():
    cells = (format_value(column, row.get(column, math.nan)) for column in columns)
    lines.append(_line([name, *cells]))
  return lines


def _columns(rows):
  return dict.fromkeys(column for row in rows for column in row)


def table_2(
  summaries: Mapping[str, Mapping[str, Values]], *, protocol: str = "paper"
) -> str:
  """The paper's table 2 as Markdown: PSNR/SSIM over all, complex and simple videos.

  Args:
    summaries: from `summarise`, by method.
    protocol: `paper`, as the paper has it, or `sttn`.

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


def _pair(values, protocol):
  psnr, ssim = (values.get(f"{protocol}_{kind}", math.nan) for kind in ("psnr", "ssim"))
  if math.isnan(psnr):
    return "not measured"
  return f"{psnr:.1f}/{f'{ssim:.3f}'.removeprefix('0')}"


def _line(cells):
  return f"| {' | '.join(cells)} |"


def write_markdown(path: Path, evaluation: Evaluation) -> None:
  """Writes `markdown`'s text; the file appears when it is whole."""
  _write(path, markdown(evaluation))


def write_csv(path: Path, evaluation: Evaluation) -> None:
  """Writes a line for each video and for each mean, every digit."""
  rows = [("video", name, row) for name, row in evaluation.rows.items()]
  rows += [("mean", part, row) for part, row in evaluation.summary.items()]
  columns = _columns(row for *_, row in rows)
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(["kind", "name", *columns])
  for kind, name, row in rows:
    values = (row.get(column, math.nan) for column in columns)
    writer.writerow([kind, name, *("" if math.isnan(v) else v for v in values)])
  _write(path, text.getvalue())


def write_json(path: Path, evaluation: Evaluation) -> None:
  """Writes everything, every digit."""
  content = {
    "name": evaluation.name,
    "settings": dict(evaluation.settings),
    "notes": [*evaluation.notes],
    "videos": {name: _plain(row) for name, row in evaluation.rows.items()},
    "summary": {part: _plain(row) for part, row in evaluation.summary.items()},
  }
  _write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def check_writable(paths: Iterable[Path], *, overwrite: bool) -> None:
  """Finds out before the work whether tables can be written.

  Args:
    paths: of the files.
    overwrite: they may be there.

  Raises:
    InputError: a file is there, or has no folder.
  """
  for path in paths:
    if not path.parent.is_dir():
      raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir() or (path.exists() and not overwrite):
      raise InputError(f"{path}: is there; name another file or add --overwrite")


def _plain(values):
  return {
    column: None if math.isnan(value) else value if math.isfinite(value) else "inf"
    for column, value in values.items()
  }


def _write(path, text):
  try:
    with replacing(path) as partial:
      partial.write_text(text)
  except OSError as error:
    raise InputError(f"{path}: cannot be written ({error.strerror})") from error
