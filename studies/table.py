"""Table 1 of the paper: our figures for the four methods beside the published ones."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dipvid_jax.composed import read_composed
from dipvid_jax.evaluation import PatchSearch, summarise
from dipvid_jax.evaluation.frame_quality import check_sides
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.method.keys import Value
from dipvid_jax.propagation.telea import telea
from dipvid_jax.terminal import say
from studies.measured import Figures
from studies.method_runs import (
  METHODS,
  MethodRun,
  as_unit,
  hole_mask,
  method_settings,
  method_title,
  run_method,
)
from studies.rows import write_rows


class _Column(NamedTuple):
  """A column of the table: its heading, the figure, its form, and a factor."""

  heading: str
  figure: str
  form: str
  factor: float = 1.0


_COLUMNS = (
  _Column("FID (paper)", "fid_paper", ".1f"),
  _Column("consistency PSNR (paper)", "temporal_psnr", ".2f"),
  _Column("consistency SSIM (paper)", "temporal_ssim", ".3f"),
  _Column("PSNR (paper)", "paper_psnr", ".2f"),
  _Column("SSIM (paper)", "paper_ssim", ".3f"),
  _Column("hole PSNR", "hole_psnr", ".2f"),
  _Column("hole SSIM", "hole_ssim", ".3f"),
  _Column("warping error in the hole, 1e-3", "hole_warping_error", ".2f", 1e3),
)
# Zhang et al., Table 1: the first five columns.
PAPER = {
  "dip": (22.3, 18.8, 0.532, 25.2, 0.926),
  "vid": (16.1, 23.6, 0.768, 28.7, 0.956),
  "vid3d": (12.1, 26.7, 0.871, 30.9, 0.966),
  "flow": (10.4, 28.1, 0.895, 32.1, 0.969),
}


def run_table(
  set_folder: str,
  *,
  output: Path,
  settings: Mapping[str, Value],
  figures: Figures,
  methods: Sequence[str] = tuple(METHODS),
  updates: Mapping[str, int] | None = None,
  videos: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
  """Runs methods over a set and measures every result.

  Writes `rows.json` and `rows.csv` after every run, so no finished run is lost.

  Args:
    set_folder: a composed set.
    output: the study's folder.
    settings: values of config keys to change, the same for all methods.
    figures: of the study.
    methods: names of configs.
    updates: of every network, by method; the others have what `settings` says.
    videos: ids; None takes all videos of the set.

  Returns:
    A row for each video and method, and one for each video filled by Telea.

  Raises:
    InputError: before any run, a video's frames are too small to be measured.
  """
  videos = videos or sorted(VideoSet(set_folder).places)
  for video_id in videos:
    shape = read_composed(set_folder, video_id).truth.shape
    check_sides("temporal", shape, PatchSearch().patch)
  rows: list[dict[str, Any]] = []
  for video_id in videos:
    for method in methods:
      say(f"{video_id}: {method}")
      own = method_settings(method, settings, updates or {})
      result = run_method(set_folder, video_id, method, output=output, settings=own)
      rows.append(figures.measure(result))
      write_rows(output / "rows", rows)
    rows.append(figures.measure(_fill_by_telea(result)))
    write_rows(output / "rows", rows)
  return rows


def _fill_by_telea(result: MethodRun) -> MethodRun:
  """A baseline without a network on the same video."""
  filled = telea(as_unit(result.truth), hole_mask(result.hole))
  return result._replace(method="telea", full=filled, stitched=filled)


def table_markdown(rows: Sequence[dict[str, Any]]) -> str:
  """Means over the videos as a Markdown table, with the paper's figures in brackets.

  Args:
    rows: from `run_table`.

  Returns:
    The table. A figure that one of the videos lacks is not measured.
  """
  lines = [
    "| " + " | ".join(["method", *(column.heading for column in _COLUMNS)]) + " |",
    "| --- " * (1 + len(_COLUMNS)) + "|",
  ]
  for method, means in method_means(rows).items():
    paper = PAPER.get(method, ())
    cells = [method_title(method)]
    for number, column in enumerate(_COLUMNS):
      mean = column.factor * means.get(column.figure, math.nan)
      cell = "not measured" if math.isnan(mean) else f"{mean:{column.form}}"
      cells.append(f"{cell} ({paper[number]})" if number < len(paper) else cell)
    lines.append("| " + " | ".join(cells) + " |")
  if not any("fid_paper" in row for row in rows):
    lines += ["", "FID needs InceptionV3's weights: --inception FILE."]
  return "\n".join(lines) + "\n"


def method_means(rows: Sequence[dict[str, Any]]) -> dict[str, Mapping[str, float]]:
  """Means over all videos for each method, as `bin/evaluate` takes them.

  Args:
    rows: with video, method and figures.

  Returns:
    `{method: {figure: mean}}`.
  """
  return {method: summarise(own)["all"] for method, own in rows_by_method(rows).items()}


def rows_by_method(
  rows: Sequence[dict[str, Any]],
) -> dict[str, dict[str, dict[str, float]]]:
  """Sorts rows of a study: `{method: {video: figures}}`."""
  found: dict[str, dict[str, dict[str, float]]] = {}
  for row in rows:
    figures = {key: v for key, v in row.items() if key not in ("video", "method")}
    found.setdefault(row["method"], {})[row["video"]] = figures
  return found
