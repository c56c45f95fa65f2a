"""Quality on the videos above a complexity threshold; Zhang et al., figure 7."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.errors import InputError
from studies.method_runs import method_title
from studies.plots import plot_panels
from studies.rows import read_rows, write_rows

_PANELS = {
  "paper_psnr": "PSNR of frames, dB",
  "paper_ssim": "SSIM of frames",
  "hole_psnr": "PSNR of the hole, dB",
  "hole_ssim": "SSIM of the hole",
}


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
  panels = {
    heading: {
      method_title(method): (
        [row["threshold"] for row in curve if row["method"] == method],
        [row[figure] for row in curve if row["method"] == method],
      )
      for method in dict.fromkeys(row["method"] for row in curve)
    }
    for figure, heading in _PANELS.items()
  }
  plot_panels(output / "complexity.png", panels, x="least complexity of a video")
  return curve


def complexity_curve(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
  """The points of the curve.

  Args:
    rows: with video, method, complexity, and PSNR and SSIM of frames and hole.

  Returns:
    For each threshold and method, the number of videos at or above the threshold and
    their means.
  """
  curve = []
  for threshold in sorted({row["complexity"] for row in rows}):
    above = [row for row in rows if row["complexity"] >= threshold]
    for method in dict.fromkeys(row["method"] for row in above):
      own = [row for row in above if row["method"] == method]
      means = {key: float(np.mean([row[key] for row in own])) for key in _PANELS}
      curve.append(
        {"threshold": threshold, "method": method, "videos": len(own), **means}
      )
  return curve
