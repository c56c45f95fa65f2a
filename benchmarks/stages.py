"""Where the time of a whole run goes, stage by stage."""

import fractions
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scene import draw_clip
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.method.program import build_program, flow_strides
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.training.fit import fit
from flow import estimate_video_flow

COLUMNS = {"stage": "stage", "seconds": "s", "frames": "frames", "updates": "updates"}
_FRAMES = 80
_INNER_STEPS = {True: 2, False: 100}
_RATE = fractions.Fraction(25)


def measure(
  *, height: int, width: int, levels: int = 6, frame_count: int = _FRAMES, on_cpu: bool
) -> Iterator[dict[str, Any]]:
  """Times the stages of a run on a synthetic clip.

  Args:
    height, width: of the clip, and the working size.
    levels: of the network.
    frame_count: of the clip.
    on_cpu: makes two updates per batch instead of 100.

  Yields:
    A row for each stage.
  """
  began = time.perf_counter()

  def lap(stage: str, updates: int | None = None) -> dict[str, Any]:
    nonlocal began
    seconds = round(time.perf_counter() - began, 2)
    began = time.perf_counter()
    return {
      "stage": stage,
      "seconds": seconds,
      "frames": frame_count,
      "updates": updates,
    }

  frames, hole_masks = draw_clip(frame_count, height=height, width=width)
  inner_steps = _INNER_STEPS[on_cpu]
  config = load_config(
    "flow", size=(height, width), levels=levels, inner_steps=inner_steps
  )
  with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch)
    write_video(folder / "clip.mp4", to_levels(frames), _RATE)
    write_video(folder / "mask.mp4", to_levels(hole_masks.repeat(3, axis=-1)), _RATE)
    lap("draw")
    video = read_video(folder / "clip.mp4")
    size = video.frames.shape[1:3]
    masks = read_mask(folder / "mask.mp4", frame_count=frame_count, size=size)
    frames, hole_masks = prepare(video.frames, masks, size=size, fit="crop")
    yield lap("read")
    video_flow = estimate_video_flow(
      frames, strides=flow_strides(frame_count, config=config)
    )
    yield lap("flow (DIS) and visibility")
    clip = make_training_clip(frames, hole_masks, video_flow, config=config).device
    yield lap("pair holes, to the device")
    program = build_program(frame_count, config=config)
    state = program.start(clip)
    yield lap("parameters")
    for stage in ("first batch, with compilation", "second batch"):
      visits = program.visits[:1]
      state = fit(state, clip, visits=visits, fit_visits=program.fit_visits)
      yield lap(stage, inner_steps)
    outputs = program.render(state, clip)
    yield lap("render, with compilation")
    pictures = to_levels(np.asarray(outputs.image))
    output = RunFolder(folder / "out")
    output.create(config.to_dict(), resume=False)
    output.write_frames(pictures, pictures, first=0)
    output.write_inpainted(video)
    output.write_full(video)
    yield lap("write")
