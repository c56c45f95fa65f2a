"""Hole PSNR over updates on a clip whose hole hides known content.

The rider's mask of DAVIS bmx-trees, moved aside by 96 pixels, hides background that
the clip shows. First 20 frames; cropped and resized to 192 x 384, then to 96 x 192,
both by area; five levels. `flow` estimates its flow by DIS on the frames as they are;
configs that hide the hole see it filled by Telea.

  python -m benchmarks.shifted_mask --clip CLIP --rows rows.jsonl

CLIP holds frames/ and masks/ of the clip, 432 x 240.

A row is a line of JSON, written as soon as it is measured; rows already there are
not measured again.
"""

import argparse
import dataclasses
import itertools
import json
import time
from pathlib import Path

import numpy as np

from dipvid_jax.carry import carry_known_pixels
from dipvid_jax.cli.jax_setup import set_up_jax
from dipvid_jax.configuration import load_config
from dipvid_jax.evaluation.frame_quality import hole_psnr
from dipvid_jax.fit import fit
from dipvid_jax.masks import read_mask
from dipvid_jax.pipeline import put_clip
from dipvid_jax.preparation import prepare
from dipvid_jax.preview import to_levels
from dipvid_jax.program import build_program, flow_strides
from dipvid_jax.video_io import read_video
from dipvid_jax.yardsticks import telea
from flow import complete_video_flow, estimate_video_flow

_FRAMES = 20
_SHIFT = 96


@dataclasses.dataclass(frozen=True)
class Case:
  """One run: its config, its seed, and VGG's input convention."""

  config: str
  seed: int
  vgg_input: str


def read_clip(folder: Path) -> tuple[np.ndarray, np.ndarray]:
  """Frames `[20, 96, 192, 3]` and the moved hole `[20, 96, 192, 1]`."""
  video = read_video(folder / "frames")
  masks = read_mask(
    folder / "masks", frame_count=len(video.frames), size=video.frames.shape[1:3]
  )
  frames, hole_masks = prepare(
    video.frames[:_FRAMES], masks[:_FRAMES], size=(192, 384), fit="crop"
  )
  moved = np.roll(hole_masks, -_SHIFT, axis=2)
  return prepare(
    to_levels(frames), (moved * 255).astype(np.uint8), size=(96, 192), fit="crop"
  )


def measure(frames, hole_masks, case, updates):
  """Trains once and yields a row at each number of updates."""
  config = load_config(case.config)
  config.update(seed=case.seed, vgg_input=case.vgg_input, levels=5)
  config.max_updates = updates[-1]
  seen = telea(frames, hole_masks) if config.hide_hole else frames
  strides = flow_strides(len(frames), config=config)
  video_flow = estimate_video_flow(seen, strides=strides)
  program = build_program(len(frames), config=config)
  clip = put_clip(seen, hole_masks, video_flow, config=config)
  state = program.start(clip)
  soft_hole, carried = np.asarray(clip.hole_mask), np.asarray(clip.frames)
  done, seconds, visits = 0, 0.0, program.visits
  for target in updates:
    count = (target - done) // config.inner_steps
    began = time.monotonic()
    state = fit(
      state,
      clip,
      visits=visits[:count],
      fit_visits=program.fit_visits,
      batches_per_call=config.batches_per_call,
    )
    seconds += time.monotonic() - began
    done, visits = target, visits[count:]
    full = program.render(state, clip).image
    stitched = soft_hole * full + (1 - soft_hole) * carried
    yield {
      **dataclasses.asdict(case),
      "updates": done,
      "full_hole_psnr": round(hole_psnr(full, frames, hole_masks), 2),
      "stitched_hole_psnr": round(hole_psnr(stitched, frames, hole_masks), 2),
      "known_psnr": round(hole_psnr(full, frames, 1 - hole_masks), 2),
      "seconds": round(seconds, 1),
    }


def main() -> None:
  """Measures what is missing and prints all rows."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--clip", type=Path, required=True, help="folder with frames/ and masks/"
  )
  parser.add_argument(
    "--rows", type=Path, required=True, help="file of rows, continued"
  )
  parser.add_argument("--configs", nargs="+", default=["flow"])
  parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
  parser.add_argument("--updates", type=int, nargs="+", default=[500, 1000])
  parser.add_argument("--vgg-inputs", nargs="+", default=["authors"])
  arguments = parser.parse_args()
  set_up_jax()
  frames, hole_masks = read_clip(arguments.clip)
  rows = []
  if arguments.rows.exists():
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines()]
  filled = telea(frames, hole_masks)
  print(f"Telea: {hole_psnr(filled, frames, hole_masks):.2f} dB")
  neighbours = complete_video_flow(
    estimate_video_flow(filled, strides=(1,)), hole_masks
  )
  carried = carry_known_pixels(filled, hole_masks, neighbours[0])
  print(f"carried: {hole_psnr(carried.frames, frames, hole_masks):.2f} dB")
  for case in itertools.starmap(
    Case, itertools.product(arguments.configs, arguments.seeds, arguments.vgg_inputs)
  ):
    known = dataclasses.asdict(case).items()
    measured = {row["updates"] for row in rows if known <= row.items()}
    if measured >= set(arguments.updates):
      continue
    for row in measure(frames, hole_masks, case, sorted(arguments.updates)):
      with arguments.rows.open("a") as file:
        file.write(json.dumps(row) + "\n")
      print(row, flush=True)


if __name__ == "__main__":
  main()
