"""Table 1 of the paper: our figures for the four methods beside the published ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.evaluation import evaluate_clip
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.method.keys import Value
from dipvid_jax.propagation.telea import telea
from dipvid_jax.terminal import say
from studies.method_runs import METHODS, MethodRun, as_unit, hole_mask, run_method
from studies.rows import write_rows

# Zhang et al., Table 1: full-frame PSNR and SSIM, consistency PSNR and SSIM.
PAPER = {
  "dip": (25.2, 0.926, 18.8, 0.532),
  "vid": (28.7, 0.956, 23.6, 0.768),
  "vid3d": (30.9, 0.966, 26.7, 0.871),
  "flow": (32.1, 0.969, 28.1, 0.895),
}
_MEASURES = ("paper", "hole", "temporal", "warping", "complexity")


def run_table(
  set_folder: str,
  *,
  output: Path,
  settings: Mapping[str, Value],
  methods: Sequence[str] = tuple(METHODS),
  videos: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
  """Runs methods over a set and measures every result.

  Writes `rows.json` and `rows.csv` after every run, so no finished run is lost.

  Args:
    set_folder: a composed set.
    output: the study's folder.
    settings: values of config keys to change, the same for all methods.
    methods: names of configs.
    videos: ids; None takes all videos of the set.

  Returns:
    A row for each video and method, and one for each video filled by Telea.
  """
  rows: list[dict[str, Any]] = []
  for video_id in videos or sorted(VideoSet(set_folder).places):
    for method in methods:
      say(f"{video_id}: {method}")
      result = run_method(
        set_folder, video_id, method, output=output, settings=settings
      )
      rows.append(_measure(result))
      write_rows(output / "rows", rows)
    rows.append(_measure_telea(result))
    write_rows(output / "rows", rows)
  return rows


def _measure(result: MethodRun) -> dict[str, Any]:
  figures = evaluate_clip(
    result.full,
    result.stitched,
    result.truth,
    hole_mask(result.hole),
    measures=_MEASURES,
  )
  return {"video": result.video_id, "method": result.method, **figures}


def _measure_telea(result: MethodRun) -> dict[str, Any]:
  """The row of Telea's method, a baseline without a network."""
  filled = telea(as_unit(result.truth), hole_mask(result.hole))
  same = result._replace(method="telea", full=filled, stitched=filled)
  return _measure(same)


def table_markdown(rows: Sequence[dict[str, Any]]) -> str:
  """Means over the videos as a Markdown table, with the paper's figures in brackets.

  Args:
    rows: from `run_table`.

  Returns:
    The table.
  """
  headings = (
    ("method", None),
    ("PSNR (paper)", "paper_psnr"),
    ("SSIM (paper)", "paper_ssim"),
    ("consistency PSNR (paper)", "temporal_psnr"),
    ("consistency SSIM (paper)", "temporal_ssim"),
    ("hole PSNR", "hole_psnr"),
    ("hole SSIM", "hole_ssim"),
    ("warping error in the hole, 1e-3", "hole_warping_error"),
  )
  lines = [
    "| " + " | ".join(heading for heading, _ in headings) + " |",
    "| --- " * len(headings) + "|",
  ]
  for method in dict.fromkeys(row["method"] for row in rows):
    own = [row for row in rows if row["method"] == method]
    means = {
      key: float(np.nanmean([row[key] for row in own])) for _, key in headings[1:]
    }
    paper = PAPER.get(method, (None,) * 4)
    cells = [METHODS.get(method, "Telea, each frame alone")]
    formats = (".2f", ".3f", ".2f", ".3f")
    for (_, key), form, theirs in zip(headings[1:5], formats, paper, strict=True):
      beside = "" if theirs is None else f" ({theirs})"
      cells.append(f"{means[key]:{form}}{beside}")
    cells += [
      f"{means['hole_psnr']:.2f}",
      f"{means['hole_ssim']:.3f}",
      f"{1e3 * means['hole_warping_error']:.2f}",
    ]
    lines.append("| " + " | ".join(cells) + " |")
  return "\n".join(lines) + "\n"
