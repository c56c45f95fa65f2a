"""Hole PSNR over updates, on clips whose hole hides known content.

There are two kinds of clips. `--clip` names a folder with frames/ and masks/ of DAVIS
bmx-trees: the rider's mask, shifted by 96 pixels, hides background that the clip shows.
Its first 20 frames are cropped and resized to 192 x 384, then to 96 x 192, both by
area. `--set` names composed sets (bin/compose-set), whose videos are used unchanged.

A variant is a config and its changes, such as `fast` or
`flow:hide_hole=True,inner_steps=1`. All networks have five levels. Configs that hide
the hole see it filled by Telea; the others see the clip unchanged, and so does their
flow estimation. With `--reversed-flow` all get the flow of the clip played backwards,
which is consistent with itself but wrong.

  python -m benchmarks.quality --clip CLIP --set SET --rows rows.jsonl \\
      --variants fast flow:hide_hole=True --seeds 0 1 2 --updates 100 500

Each row is a line of JSON, written as soon as it is measured. Rows already in the file
are not measured again.
"""

import argparse
import ast
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kept_rows import KeptRows
from dipvid_jax.composed import read_composed
from dipvid_jax.evaluation import evaluate_clip, hole_psnr
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.masks import HOLE_ABOVE, read_mask
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import build_program, flow_strides
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.propagation.carrying import carry_known_pixels
from dipvid_jax.propagation.guess import make_guess
from dipvid_jax.propagation.telea import telea
from dipvid_jax.training.fit import fit
from flow import VideoFlow, complete_video_flow, estimate_video_flow

_FRAMES = 20
_SHIFT = 96

Clip = tuple[np.ndarray, np.ndarray]  # frames, hole masks


def read_clip(folder: Path) -> Clip:
  """Reads frames `[20, 96, 192, 3]` and their shifted hole `[20, 96, 192, 1]`."""
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


def read_clips(folder: Path | None, composed_sets: list[str]) -> dict[str, Clip]:
  """Reads all clips, by name."""
  clips = {"bmx-trees-moved": read_clip(folder)} if folder else {}
  for composed_set in composed_sets:
    for video_id in sorted(VideoSet(composed_set).places):
      composed = read_composed(composed_set, video_id)
      frames = (composed.truth / 255).astype(np.float32)
      clips[video_id] = frames, (composed.hole > HOLE_ABOVE).astype(np.float32)
  return clips


def read_variant(variant: str, *, seed: int, max_updates: int) -> Config:
  """Reads `NAME` or `NAME:KEY=VALUE,KEY=VALUE` as a config with five levels."""
  name, _, changes = variant.partition(":")
  values: dict[str, object] = {"levels": 5, "seed": seed, "max_updates": max_updates}
  for change in filter(None, changes.split(",")):
    key, _, value = change.partition("=")
    try:
      values[key] = ast.literal_eval(value)
    except (SyntaxError, ValueError):
      values[key] = value
  return load_config(name, **values)


def estimate_flow(
  frames: np.ndarray, *, strides: tuple[int, ...], backwards: bool
) -> VideoFlow:
  """Estimates the clip's flow by DIS, or that of the clip played backwards."""
  shown = frames[::-1] if backwards else frames
  return estimate_video_flow(shown, strides=strides)


def measure(
  clip: Clip, config: Config, updates: list[int], *, reversed_flow: bool
) -> Iterator[dict[str, Any]]:
  """Trains one network and yields its figures at each number of updates."""
  frames, hole_masks = clip
  seen = telea(frames, hole_masks) if config.propagation.hide_hole else frames
  began = time.monotonic()
  strides = flow_strides(len(frames), config=config)
  video_flow = estimate_flow(seen, strides=strides, backwards=reversed_flow)
  training_clip = make_training_clip(seen, hole_masks, video_flow, config=config)
  program = build_program(len(frames), config=config)
  state = program.start(training_clip.device)
  prepared = time.monotonic() - began
  done, seconds, visits = 0, 0.0, program.visits
  for target in updates:
    count = (target - done) // config.schedule.inner_steps
    began = time.monotonic()
    state = fit(
      state,
      training_clip.device,
      visits=visits[:count],
      fit_visits=program.fit_visits,
      batches_per_call=config.training.batches_per_call,
    )
    seconds += time.monotonic() - began
    done, visits = target, visits[count:]
    result = training_clip.compose(program.render(state, training_clip.device))
    full, stitched = result.full, result.stitched
    consistency = evaluate_clip(
      None, stitched, frames, hole_masks, measures=("temporal", "warping")
    )
    yield {
      "updates": done,
      "full_hole_psnr": round(float(hole_psnr(full, frames, hole_masks)), 2),
      "stitched_hole_psnr": round(float(hole_psnr(stitched, frames, hole_masks)), 2),
      "known_psnr": round(float(hole_psnr(full, frames, 1 - hole_masks)), 2),
      "temporal_psnr": round(consistency["temporal_psnr"], 2),
      "hole_warping_error": round(consistency["hole_warping_error"], 5),
      "prepare_seconds": round(prepared, 1),
      "fit_seconds": round(seconds, 1),
    }


def yardsticks(clip: Clip, *, reversed_flow: bool) -> dict[str, float]:
  """Hole PSNR of the methods without a network."""
  frames, hole_masks = clip
  filled = telea(frames, hole_masks)
  video_flow = estimate_flow(filled, strides=(1,), backwards=reversed_flow)
  (neighbours,) = complete_video_flow(video_flow, hole_masks)
  carried = carry_known_pixels(filled, hole_masks, neighbours)
  guess = make_guess(
    filled, hole_masks, video_flow[0], generator=np.random.default_rng(0)
  )
  candidates = {"telea": filled, "carried": carried.frames, "guess": guess.frames}
  return {
    name: round(float(hole_psnr(candidate, frames, hole_masks)), 2)
    for name, candidate in candidates.items()
  }


def main() -> None:
  """Measures the missing rows and prints them."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--clip", type=Path, help="folder with frames/ and masks/")
  parser.add_argument("--set", nargs="+", default=[], help="composed sets", dest="sets")
  parser.add_argument("--videos", nargs="+", help="only these clips")
  parser.add_argument(
    "--rows", type=Path, required=True, help="file that rows are appended to"
  )
  parser.add_argument(
    "--reversed-flow",
    action="store_true",
    help="use the flow of the clip played backwards",
  )
  parser.add_argument(
    "--variants", nargs="+", default=["fast"], help="CONFIG or CONFIG:KEY=VALUE,..."
  )
  parser.add_argument("--seeds", type=int, nargs="+", default=[0])
  parser.add_argument(
    "--updates", type=int, nargs="+", default=[100, 500], help="when to measure"
  )
  arguments = parser.parse_args()
  set_up_command()
  clips = read_clips(arguments.clip, arguments.sets)
  wrong = arguments.reversed_flow
  clips = {name: clips[name] for name in arguments.videos or clips}
  rows = KeptRows(arguments.rows)
  for name, clip in clips.items():
    print(name, yardsticks(clip, reversed_flow=wrong), flush=True)
  for seed, variant, name in itertools.product(
    arguments.seeds, arguments.variants, clips
  ):
    suffix = " with reversed flow" if wrong else ""
    case = {"clip": name + suffix, "variant": variant, "seed": seed}
    measured = {row["updates"] for row in rows.find(case)}
    if measured >= set(arguments.updates):
      continue
    updates = sorted(arguments.updates)
    config = read_variant(variant, seed=seed, max_updates=updates[-1])
    for figures in measure(clips[name], config, updates, reversed_flow=wrong):
      rows.add(case | figures)


if __name__ == "__main__":
  main()
