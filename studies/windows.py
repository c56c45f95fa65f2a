"""How the window length changes the result; Zhang et al., section 5.2 and figure 10.

A video is cut into windows of k frames, and each window is inpainted by itself.
k = 1 is DIP. As in the paper, figures are means over frames and then over videos.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.composed import Composed, read_composed
from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import paper_quality, region_quality, temporal_consistency
from dipvid_jax.method.config import Config
from dipvid_jax.method.keys import Value
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.program import build_visits
from dipvid_jax.terminal import say
from studies.measured import fingerprint
from studies.method_runs import as_unit, hole_mask, method_config
from studies.plots import plot_panels
from studies.rows import read_rows, write_rows

LENGTHS = (1, 3, 5, 10, 15, 25, 50, 100)
DRAWN = 10  # videos, as in the paper
_CURVES = {
  "known": "known region",
  "fused": "fused frame",
  "consistency": "consistency",
}


def draw_videos(
  video_ids: Sequence[str], *, count: int = DRAWN, seed: int
) -> list[str]:
  """Draws videos of a set.

  Args:
    video_ids: of the set.
    count: of videos; all of them if there are fewer.
    seed: of the draw.

  Returns:
    The ids, sorted.
  """
  ids = sorted(video_ids)
  if len(ids) <= count:
    return ids
  return sorted(np.random.default_rng(seed).choice(ids, count, replace=False).tolist())


def study_windows(
  set_folder: str,
  video_ids: Sequence[str],
  *,
  output: Path,
  settings: Mapping[str, Value],
  lengths: Sequence[int] = LENGTHS,
) -> list[dict[str, Any]]:
  """Measures known region, fused frame and temporal consistency for each length.

  Writes `windows.json`, `windows.csv`, `windows.md` and `windows.png`.

  Args:
    set_folder: a composed set.
    video_ids: the videos.
    output: the study's folder; what was measured there of the same video with the same
      settings is kept.
    settings: values of config keys to change; `max_updates` counts per window.
    lengths: values of k; a video shorter than k is one window of its own length.

  Returns:
    A row for each video and length.
  """
  path = output / "windows"
  kept = {(row["video"], row["frames"]): row for row in read_rows(path)}
  rows: list[dict[str, Any]] = []
  for video_id in video_ids:
    composed = read_composed(set_folder, video_id)
    count = len(composed.truth)
    for k in sorted({min(k, count) for k in lengths}):
      made_from = fingerprint(composed.truth, composed.hole, **settings)
      row = kept.get((video_id, k))
      if row is None or row.get("made_from") != made_from:
        say(f"{video_id}: windows of {k}")
        row = {"video": video_id, "frames": k, **_measure(composed, k, settings)}
      rows.append(row | {"made_from": made_from})
      write_rows(path, rows)
  means = length_means(rows)
  path.with_suffix(".md").write_text(windows_markdown(means, len(video_ids)))
  _plot(means, output / "windows.png")
  return rows


def _measure(
  composed: Composed, k: int, settings: Mapping[str, Value]
) -> dict[str, float]:
  truth, holes = as_unit(composed.truth), hole_mask(composed.hole)
  full, stitched = inpaint_windows(as_unit(composed.frames), holes, k, settings)
  config = window_config(truth.shape[1:3], k, settings)
  visits = build_visits(k, config=config)
  return {
    "updates_a_window": sum(visit.updates for visit in visits),
    **_pair("known", region_quality(full, truth, 1 - holes)),
    **_pair("fused", paper_quality(stitched, truth)),
    **_pair("consistency", temporal_consistency(stitched, holes)),
  }


def _pair(name: str, quality: tuple[float, float]) -> dict[str, float]:
  return {f"{name}_psnr": quality[0], f"{name}_ssim": quality[1]}


def window_config(
  size: tuple[int, int], k: int, settings: Mapping[str, Value]
) -> Config:
  """The config of a window: DIP for a single frame, else DIP-Vid-Flow.

  Args:
    size: (H, W) of the frames.
    k: frames of the window.
    settings: values of config keys to change.
  """
  method, batch = ("dip", {}) if k == 1 else ("flow", {"batch_size": min(5, k)})
  return method_config(method, size=size, settings={**settings, **batch})


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
  config = window_config(frames.shape[1:3], k, settings)
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


def length_means(rows: Sequence[dict[str, Any]]) -> dict[int, dict[str, float]]:
  """Means over the videos for each length; a missing figure makes a mean NaN.

  Args:
    rows: from `study_windows`.

  Returns:
    `{frames: {figure: mean}}`, and the `updates_a_window` of the first video.
  """
  means = {}
  for k in sorted({row["frames"] for row in rows}):
    own = [row for row in rows if row["frames"] == k]
    means[k] = {
      f"{name}_{kind}": float(np.mean([row[f"{name}_{kind}"] for row in own]))
      for name in _CURVES
      for kind in ("psnr", "ssim")
    } | {"updates_a_window": own[0]["updates_a_window"]}
  return means


def windows_markdown(means: Mapping[int, Mapping[str, float]], videos: int) -> str:
  """A line for each length, with the updates that a window had.

  Args:
    means: from `length_means`.
    videos: their number.
  """
  heads = ["frames of a window", "updates of a window"]
  heads += [f"{label}, PSNR / SSIM" for label in _CURVES.values()]
  lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
  for k, row in means.items():
    cells = [f"{k} (DIP)" if k == 1 else f"{k}", f"{row['updates_a_window']:,}"]
    cells += [f"{row[f'{n}_psnr']:.2f} / {row[f'{n}_ssim']:.3f}" for n in _CURVES]
    lines.append(f"| {' | '.join(cells)} |")
  return "\n".join([*lines, "", f"Means over the frames of {videos} videos."]) + "\n"


def _plot(means: Mapping[int, Mapping[str, float]], path: Path) -> None:
  panels = {
    heading: {
      label: ([*means], [row[f"{name}_{kind}"] for row in means.values()])
      for name, label in _CURVES.items()
    }
    for kind, heading in (("psnr", "PSNR, dB"), ("ssim", "SSIM"))
  }
  plot_panels(path, panels, x="frames per window")
