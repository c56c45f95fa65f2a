"""How the window length changes the result; Zhang et al., section 5.2 and figure 10.

A video is cut into windows of k frames, and each window is inpainted by itself.
k = 1 is DIP.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.composed import Composed, read_composed
from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import hole_psnr, hole_ssim, temporal_consistency
from dipvid_jax.method.keys import Value
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.terminal import say
from studies.method_runs import as_unit, hole_mask, method_config
from studies.plots import plot_curves
from studies.rows import read_rows, write_rows

LENGTHS = (1, 3, 5, 10, 15, 25, 50, 100)


def study_windows(
  set_folder: str,
  video_ids: Sequence[str],
  *,
  output: Path,
  settings: Mapping[str, Value],
  lengths: Sequence[int] = LENGTHS,
) -> list[dict[str, Any]]:
  """Measures known region, fused frame and temporal consistency for each length.

  Writes `windows.json`, `windows.csv` and `windows.png`.

  Args:
    set_folder: a composed set.
    video_ids: the videos.
    output: the study's folder; lengths already measured there are kept.
    settings: values of config keys to change; `max_updates` counts per window.
    lengths: values of k; a video shorter than k is one window of its own length.

  Returns:
    A row for each video and length.
  """
  path = output / "windows"
  rows = read_rows(path)
  done = {(row["video"], row["frames"]) for row in rows}
  for video_id in video_ids:
    composed = read_composed(set_folder, video_id)
    count = len(composed.truth)
    for k in sorted({min(k, count) for k in lengths}):
      if (video_id, k) in done:
        continue
      say(f"{video_id}: windows of {k}")
      rows.append({"video": video_id, "frames": k, **_measure(composed, k, settings)})
      write_rows(path, rows)
  _plot(rows, output / "windows.png")
  return rows


def _measure(
  composed: Composed, k: int, settings: Mapping[str, Value]
) -> dict[str, float]:
  truth, holes = as_unit(composed.truth), hole_mask(composed.hole)
  full, stitched = inpaint_windows(as_unit(composed.frames), holes, k, settings)
  return {
    "known_psnr": hole_psnr(full, truth, 1 - holes),
    "known_ssim": hole_ssim(full, truth, 1 - holes),
    "fused_psnr": hole_psnr(stitched, truth, np.ones_like(holes)),
    "fused_ssim": hole_ssim(stitched, truth, np.ones_like(holes)),
    "consistency_psnr": temporal_consistency(stitched, holes).psnr,
  }


def inpaint_windows(
  frames: np.ndarray, holes: np.ndarray, k: int, settings: Mapping[str, Value]
) -> tuple[np.ndarray, np.ndarray]:
  """Inpaints each window of k frames by itself; the last one ends with the video.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1].
    holes: `[T, H, W, 1]`, 1 in the hole.
    k: frames of a window, at most T.
    settings: values of config keys to change.

  Returns:
    The full and the stitched frames, `[T, H, W, 3]` float32.

  Raises:
    InputError: k is more than T.
  """
  if not 1 <= k <= len(frames):
    raise InputError(f"windows of {k} frames do not fit {len(frames)} frames")
  method, batch = ("dip", {}) if k == 1 else ("flow", {"batch_size": min(5, k)})
  config = method_config(method, size=frames.shape[1:3], settings={**settings, **batch})
  full, stitched = (np.empty(frames.shape, np.float32) for _ in range(2))
  # DIP trains one network per frame, so a run on all frames is T windows of one.
  length = len(frames) if k == 1 else k
  for first in range(0, len(frames), length):
    start = min(first, len(frames) - length)
    window = slice(start, start + length)
    result = inpaint_video(frames[window], holes[window], config=config)
    full[first : start + length] = result.full[first - start :]
    stitched[first : start + length] = result.stitched[first - start :]
  return full, stitched


def _plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
  lengths = sorted({row["frames"] for row in rows})

  def means(key: str) -> list[float]:
    return [
      float(np.mean([row[key] for row in rows if row["frames"] == k])) for k in lengths
    ]

  labels = {
    "known_psnr": "known region",
    "fused_psnr": "fused frame",
    "consistency_psnr": "consistency",
  }
  curves = {label: (lengths, means(key)) for key, label in labels.items()}
  plot_curves(path, curves, x="frames per window", y="PSNR, dB")
