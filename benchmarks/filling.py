"""Hole PSNR of what fills a hole without a network, and of the result, on many clips.

  python -m benchmarks.filling --bmx BMX_TREES --frames 20 --rows rows.jsonl
  python -m benchmarks.filling --bmx BMX_TREES --clips bmx phone --updates 50 \\
      --seeds 0 1 2 --rows rows.jsonl

The clips are those of `benchmarks.composed_clips`; the hole is filled by Telea before
anything sees it. *Propagation* is that of `benchmarks.simple_fills`. A row also holds
the warping error in the hole, 1e-3, and the temporal consistency, dB, of each fill. It
is a line of JSON; rows that the file holds are not measured again.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.composed_clips import CLIPS, compose
from benchmarks.kept_rows import KeptRows
from benchmarks.simple_fills import propagate_simply
from dipvid_jax.evaluation import temporal_consistency, warping_error
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.method.program import build_program
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.metrics import hole_psnr
from dipvid_jax.propagation.telea import telea
from dipvid_jax.training.fit import fit
from flow import estimate_video_flow


def measure(
  name: str,
  *,
  bmx: Path,
  frame_count: int,
  size: tuple[int, int],
  seed: int,
  updates: int,
) -> dict[str, Any]:
  """Measures one clip; without updates, all but the network."""
  shown, hole = compose(name, bmx=bmx, frame_count=frame_count, size=size)
  truth = shown.astype(np.float32) / 255
  hole_masks = hole[..., None].astype(np.float32)
  filled = telea(truth, hole_masks)
  began = time.perf_counter()
  (pairs,) = estimate_video_flow(filled, strides=(1,))
  config = load_config(
    "fast",
    seed=seed,
    levels=5,
    max_updates=max(1, updates),
    batches_per_round=max(1, updates),
  )
  clip = make_training_clip(filled, hole_masks, (pairs,), config=config)
  guess = clip.guess
  assert guess is not None
  fills = {
    "telea": filled,
    "propagation": propagate_simply(filled, hole, pairs),
    "carried": guess.carried.frames,
    "guess": guess.frames,
  }
  row: dict[str, Any] = {"seconds_guess": round(time.perf_counter() - began, 1)}
  if updates:
    program = build_program(frame_count, config=config)
    state = fit(
      program.start(clip.device),
      clip.device,
      visits=program.visits,
      fit_visits=program.fit_visits,
      batches_per_call=10,
    )
    result = clip.compose(program.render(state, clip.device))
    fills |= {"network": result.full, "result": result.stitched}
    row |= {"network_share": round(float(result.share[hole].mean()), 3)}
  row["seconds"] = round(time.perf_counter() - began, 1)
  (true_flow,) = estimate_video_flow(truth, strides=(1,))
  for key, frames in (fills | {"truth": truth}).items():
    if key != "truth":
      row[key] = round(float(hole_psnr(frames, truth, hole_masks)), 2)
    moving = warping_error(frames, hole_masks, true_flow).hole
    found = temporal_consistency(frames, hole_masks)
    row[f"warping_{key}"] = round(1e3 * moving, 3)
    row[f"consistency_{key}"] = round(float(found.psnr), 2)
  return row


def main() -> None:
  """Measures the missing rows and prints them."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--bmx", type=Path, required=True, help="folder of bmx-trees")
  parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(CLIPS))
  parser.add_argument("--frames", type=int, default=20)
  parser.add_argument("--size", type=int, nargs=2, default=(192, 384))
  parser.add_argument("--updates", type=int, default=0, help="of the network; 0: none")
  parser.add_argument("--seeds", type=int, nargs="+", default=[0])
  parser.add_argument("--rows", type=Path, required=True, help="file of rows, extended")
  arguments = parser.parse_args()
  set_up_command()
  rows = KeptRows(arguments.rows)
  for name in arguments.clips:
    for seed in arguments.seeds:
      key = {"clip": name, "frames": arguments.frames, "size": list(arguments.size)}
      key |= {"seed": seed, "updates": arguments.updates}
      if rows.find(key):
        continue
      row = key | measure(
        name,
        bmx=arguments.bmx,
        frame_count=arguments.frames,
        size=tuple(arguments.size),
        seed=seed,
        updates=arguments.updates,
      )
      rows.add(row)


if __name__ == "__main__":
  main()
