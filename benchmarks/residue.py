"""How often the residue hint is right: masks that are too small, and a shadow.

  python -m benchmarks.residue --bmx BMX_TREES

*real* is bmx-trees with its own masks. In the other clips, those of
`benchmarks.composed_clips`, the rider is put over a video with a soft edge. His mask is
grown or shrunk by pixels. In *shadow* he also casts one of half the light, 10 pixels
right and 6 below him, beside a mask that is grown by 3. A cell is the width that the
hint gives, `-` where it says nothing, `?` where too few frames show what is beside the
mask.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks import composed_clips
from benchmarks.composed_clips import CLIPS, compose, place_rider
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.media.discs import disc
from dipvid_jax.propagation import residue
from dipvid_jax.propagation.telea import telea
from flow import estimate_video_flow

_SIZE = (240, 432)
_GROWTHS = (-4, -2, 0, 2, 3, 5)
_SHADOW = "shadow"
_LIGHT, _RIGHT, _BELOW, _BLUR = 0.5, 10, 6, 2.0  # of the shadow


def main() -> None:
  """Prints a row of the table for each clip."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--bmx", type=Path, required=True)
  parser.add_argument("--frames", type=int, default=40)
  parser.add_argument("--clips", nargs="+", default=["real", *CLIPS])
  arguments = parser.parse_args()
  set_up_command(deterministic=False)
  kinds = [*(f"{growth:+d} px" for growth in _GROWTHS), _SHADOW]
  print(f"| clip | {' | '.join(kinds)} | seconds |\n|{' --- |' * (len(kinds) + 2)}")
  for name in arguments.clips:
    cells, seconds = _measure(name, arguments.bmx, arguments.frames)
    print(f"| {name} | {' | '.join(cells)} | {seconds:.1f} |", flush=True)


def _measure(name: str, bmx: Path, frame_count: int) -> tuple[list[str], float]:
  """The cells of a clip, and the mean time of a look."""
  cells, taken = [], []
  for growth in (*_GROWTHS, _SHADOW):
    made = _clip(name, growth, bmx, frame_count)
    if made is None:
      cells.append("")
      continue
    frames = made[0].astype(np.float32) / np.float32(255)
    hole = made[1].astype(np.float32)[..., None]
    (pairs,) = estimate_video_flow(telea(frames, hole), strides=(1,))
    begun = time.monotonic()
    profiles = residue.look_around(frames, hole, pairs)
    taken.append(time.monotonic() - begun)
    if len(profiles) < residue.LEAST_FRAMES:
      cells.append("?")
      continue
    found = residue.judge(profiles)
    cells.append("-" if found is None else str(found.width))
  return cells, float(np.mean(taken))


def _clip(
  name: str, growth: int | str, bmx: Path, frame_count: int
) -> tuple[np.ndarray, np.ndarray] | None:
  """Frames `[T, H, W, 3]` uint8, the hole `[T, H, W]` bool; None: no such clip."""
  if name == "real":
    if growth == _SHADOW:
      return None
    frames, riders = composed_clips.read_rider(bmx)
    return frames, _grown(riders > 127, int(growth))
  frames, _ = compose(name, bmx=bmx, frame_count=frame_count, size=_SIZE)
  if growth == _SHADOW:
    _, covers = place_rider(frames, name, bmx=bmx)
    frames = np.stack([_shade(f, c) for f, c in zip(frames, covers, strict=True)])
  frames, covers = place_rider(frames, name, bmx=bmx)
  return frames, _grown(covers > 0.5, 3 if growth == _SHADOW else int(growth))


def _shade(frame: np.ndarray, cover: np.ndarray) -> np.ndarray:
  moved = np.roll(cover, (_BELOW, _RIGHT), (0, 1))
  shadow = cv2.GaussianBlur(moved, (0, 0), _BLUR)[..., None]
  return np.rint(frame * (1 - (1 - _LIGHT) * shadow)).astype(np.uint8)


def _grown(hole: np.ndarray, pixels: int) -> np.ndarray:
  if not pixels:
    return hole
  change = cv2.dilate if pixels > 0 else cv2.erode
  shape = disc(abs(pixels))
  return np.stack([change(mask.astype(np.uint8), shape) > 0 for mask in hole])


if __name__ == "__main__":
  main()
