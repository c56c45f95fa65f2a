"""Quality on the videos above a complexity threshold; Zhang et al., figure 7."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError
from studies.plots import plot_curves
from studies.rows import read_rows, write_rows


def study_complexity(output: Path) -> list[dict[str, Any]]:
  """Means over the videos above each threshold; every video's complexity is one.

  Writes `complexity.json`, `complexity.csv` and `complexity.png`.

  Args:
    output: a folder in which `run_table` has written its rows.

  Returns:
    A row for each threshold and method.

  Raises:
    InputError: the folder holds no table.
  """
  rows = read_rows(output / "rows")
  if not rows:
    raise InputError(f"{output}: no table here; run the study `table` first")
  curve = complexity_curve(rows)
  write_rows(output / "complexity", curve)
  curves = {}
  for method in dict.fromkeys(row["method"] for row in curve):
    own = [row for row in curve if row["method"] == method]
    curves[method] = (
      [row["threshold"] for row in own],
      [row["hole_psnr"] for row in own],
    )
  plot_curves(
    output / "complexity.png",
    curves,
    x="least complexity of a video",
    y="mean hole PSNR, dB",
  )
  return curve


def complexity_curve(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
  """The points of the curve.

  Args:
    rows: with video, method, complexity, hole_psnr and paper_psnr.

  Returns:
    For each threshold and method, the number of videos at or above the threshold and
    their mean PSNR.
  """
  curve = []
  for threshold in sorted({row["complexity"] for row in rows}):
    above = [row for row in rows if row["complexity"] >= threshold]
    for method in dict.fromkeys(row["method"] for row in above):
      own = [row for row in above if row["method"] == method]
      means = {
        key: float(np.mean([row[key] for row in own]))
        for key in ("paper_psnr", "hole_psnr")
      }
      curve.append(
        {"threshold": threshold, "method": method, "videos": len(own), **means}
      )
  return curve
