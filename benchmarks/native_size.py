"""Fills of large clips: quality at the input's own size, time of each stage, memory.

  python -m benchmarks.native_size --bmx BMX_TREES --clips bunny40 bikes1 \\
      --input 720 1280 --sides 192 288 360 540 --rows rows.jsonl

No network is trained. Each row carries at frames whose shorter side is one of `sides`,
and samples the input once for the result. *Enlarged* is the same fill without that.
LPIPS is of the hole's box in every fifth frame. Rows that the file holds are not
measured again; `--crops` writes the middle frame's box at 100%. The peak is of the
whole process: measure one row in each to compare it.
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.composed_clips import CLIPS, compose
from benchmarks.kept_rows import KeptRows
from dipvid_jax.evaluation.frame_quality import as_float
from dipvid_jax.evaluation.lpips import load_lpips, lpips_distance
from dipvid_jax.media.images import write_images
from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare_frames, prepare_holes, put_back
from dipvid_jax.media.stacking import stack
from dipvid_jax.metrics import hole_psnr
from dipvid_jax.propagation.guess import make_guess
from dipvid_jax.propagation.native import carried_detail
from dipvid_jax.propagation.regions import box_around
from dipvid_jax.propagation.telea import telea
from flow import estimate_video_flow

_EVERY = 5  # frames between those whose LPIPS is measured
_MARGIN = 32  # pixels around the hole in LPIPS and crops


def measure(
  frames: np.ndarray, hole: np.ndarray, *, side: int, crop: Path | None
) -> dict[str, Any]:
  """Fills a clip and measures the fill.

  Args:
    frames: `[T, H, W, 3]` uint8, the truth.
    hole: `[T, H, W]` bool.
    side: of the frames that pixels are carried in.
    crop: a file name for a picture of the middle frame: truth, enlarged, result.

  Returns:
    The row's figures.
  """
  masks = hole[..., None].astype(np.uint8) * 255
  hidden = np.where(masks > 0, np.uint8(0), frames)
  size = frames.shape[1:3]
  placement = place(size, size=None, fit="pad", side=side)
  began = time.perf_counter()
  times = {}

  def lap(stage: str) -> None:
    nonlocal began
    now = time.perf_counter()
    times[f"seconds_{stage}"], began = round(now - began, 1), now

  holes = prepare_holes(masks, placement, hide_hole=True).astype(np.float32)
  filled = telea(prepare_frames(hidden, placement), holes)
  lap("prepare")
  (pairs,) = estimate_video_flow(filled, strides=(1,))
  lap("flow")
  guess = make_guess(filled, holes, pairs, generator=np.random.default_rng(0))
  lap("carry")
  detail = carried_detail(
    guess.carried,
    guess.carried_share,
    frames=hidden,
    masks=masks,
    placement=placement,
  )
  lap("detail")
  levels = to_levels(guess.frames)
  enlarged = stack(put_back(hidden, masks, levels, placement=placement))
  began = time.perf_counter()
  fills = put_back(hidden, masks, levels, placement=placement, detail=detail)
  result = stack(fills)
  lap("put_back")
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
  row: dict[str, Any] = times | {"peak_mib": peak}
  network, boxes = load_lpips("vgg16"), _boxes(hole)
  for name, fill in (("enlarged", enlarged), ("result", result)):
    row[name] = round(
      float(hole_psnr(as_float(fill), as_float(frames), masks > HOLE_ABOVE)), 2
    )
    distances = [
      lpips_distance(network, fill[t][box], frames[t][box], network="vgg16")
      for t, box in boxes
    ]
    row[f"lpips_{name}"] = round(float(np.mean(distances)), 4)
  if crop is not None:
    t, box = boxes[len(boxes) // 2]
    beside = [x[t][box][0] for x in (frames, enlarged, result)]
    write_images(crop, np.concatenate(beside, axis=1)[None])
  return row


def _boxes(hole: np.ndarray) -> list[tuple[slice, tuple[slice, ...]]]:
  """Frames with a hole, and the box around it in a stack of one frame."""
  return [
    (slice(t, t + 1), (slice(None), *box_around(hole[t], _MARGIN).slices))
    for t in range(0, len(hole), _EVERY)
    if hole[t].any()
  ]


def main() -> None:
  """Measures the missing rows and prints them."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--bmx", type=Path, required=True, help="folder of bmx-trees")
  parser.add_argument("--clips", nargs="+", choices=CLIPS, default=["bunny40"])
  parser.add_argument("--frames", type=int, default=20)
  parser.add_argument("--input", type=int, nargs=2, default=(720, 1280))
  parser.add_argument("--sides", type=int, nargs="+", default=[360])
  parser.add_argument("--rows", type=Path, required=True, help="file of rows, extended")
  parser.add_argument("--crops", type=Path, help="folder for crops at 100%%")
  arguments = parser.parse_args()
  rows = KeptRows(arguments.rows)
  for name in arguments.clips:
    for side in arguments.sides:
      key = {"clip": name, "frames": arguments.frames, "side": side}
      key |= {"input": list(arguments.input)}
      if rows.find(key):
        continue
      frames, hole = compose(
        name,
        bmx=arguments.bmx,
        frame_count=arguments.frames,
        size=tuple(arguments.input),
      )
      crop = arguments.crops and arguments.crops / f"{name}-{side}"
      row = key | measure(frames, hole, side=side, crop=crop)
      rows.add(row)


if __name__ == "__main__":
  main()
