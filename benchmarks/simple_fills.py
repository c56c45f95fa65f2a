"""What users would do without a network: fills of a composed set, to compare with.

  python -m benchmarks.simple_fills --set composed --output fills
  bin/ablation compare --set composed --output study --methods fast \\
      --results Telea=fills/telea Propagation=fills/propagation

*Telea* fills each frame alone. *Propagation* warps the frames before and after into the
hole, one after the other, along DIS flow completed two pixels around it, and mixes both
by their age. Both see the frames with a grey hole.
"""

import argparse
from pathlib import Path

import numpy as np

from dipvid_jax.composed import read_composed
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import write_images
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.placement import Box
from dipvid_jax.propagation.regions import in_frame, positions, sample
from dipvid_jax.propagation.telea import telea
from flow import PairFlow, complete_video_flow, estimate_video_flow, find_scenes

_NEVER = 1e6  # frames: the age of a pixel that nothing was propagated to


def propagate_simply(
  filled: np.ndarray, hole: np.ndarray, pairs: PairFlow
) -> np.ndarray:
  """The yardstick: neighbours warped into the hole, frame after frame.

  Args:
    filled: `[T, H, W, 3]` float32, the hole filled by Telea.
    hole: `[T, H, W]` bool.
    pairs: flow at stride 1.

  Returns:
    `[T, H, W, 3]` float32.
  """
  (completed,) = complete_video_flow(
    (pairs,), hole[..., None].astype(np.float32), margin=2
  )
  firsts = {scene.start for scene in find_scenes(pairs)}
  count = len(filled)
  order = range(count)
  earlier = _one_way(filled, hole, order, completed.backward, firsts, lag=1)
  cut_after = {first - 1 for first in firsts} | {count - 1}
  later = _one_way(filled, hole, order[::-1], completed.forward, cut_after, lag=0)
  weights = [
    np.where(age < _NEVER / 2, 1 / np.maximum(age, 1), 0) for _, age in (earlier, later)
  ]
  total = (weights[0] + weights[1])[..., None]
  mixed = weights[0][..., None] * earlier[0] + weights[1][..., None] * later[0]
  propagated = hole[..., None] & (total > 0)
  return np.where(propagated, mixed / np.maximum(total, 1e-9), filled).astype(
    np.float32
  )


def _one_way(
  filled: np.ndarray,
  hole: np.ndarray,
  order: range,
  flows: np.ndarray,
  starts: set[int],
  *,
  lag: int,
) -> tuple[np.ndarray, np.ndarray]:
  """Frames and ages in one direction; frame t warps the one before by flow t - lag."""
  frames, ages = filled.copy(), np.where(hole, np.float32(_NEVER), np.float32(0))
  height, width = hole.shape[1:]
  grid = positions(Box(0, 0, height, width))
  before = None
  for t in order:
    if before is not None and t not in starts:
      at = grid + flows[t - lag]
      age = sample(ages[before], at)
      good = hole[t] & in_frame(at, (height, width)) & (age < 1e3)
      frames[t][good] = sample(frames[before], at)[good]
      ages[t][good] = age[good] + 1
    before = t
  return frames, ages


def fill(frames: np.ndarray, hole: np.ndarray) -> dict[str, np.ndarray]:
  """Fills a hole in both ways.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB; what is in the hole is not seen.
    hole: `[T, H, W, 1]`, above 0 in the hole.

  Returns:
    `telea` and `propagation`, each `[T, H, W, 3]` float32 RGB in [0, 1].
  """
  hole_masks = (hole > 0).astype(np.float32)
  filled = telea(frames.astype(np.float32) / 255, hole_masks)
  (pairs,) = estimate_video_flow(filled, strides=(1,))
  propagated = propagate_simply(filled, hole[..., 0] > 0, pairs)
  return {"telea": filled, "propagation": propagated}


def main(argv: list[str] | None = None) -> None:
  """Writes a folder of images for each fill and video."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--set", required=True, metavar="DIR", help="a composed set")
  parser.add_argument("--output", type=Path, required=True, metavar="DIR")
  arguments = parser.parse_args(argv)
  for video_id in VideoSet(arguments.set).places:
    video = read_composed(arguments.set, video_id)
    for name, frames in fill(video.frames, video.hole).items():
      folder = arguments.output / name / video_id
      write_images(folder, to_levels(frames))
      print(folder)


if __name__ == "__main__":
  main()
