"""A small list of clips, its results, and commands that work on it."""

import contextlib
import fractions
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from dipvid_jax.media.video_writing import write_video

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "bin/inpaint"
SMALL = (
  "--config.size=12,16",
  "--config.levels=1",
  "--config.inner_steps=2",
  "--config.batches_per_round=1",
  "--config.strides=(1,)",
  "--config.least_uncarried=0",
)


def write_clips(folder: Path, lengths: dict[str, int]) -> None:
  """Small videos, a mask, and a file that is no video.

  Args:
    folder: an existing one.
    lengths: frames by name.
  """
  y, x = np.mgrid[0:12, 0:16]
  masks = np.zeros((12, 16, 3), np.uint8)
  masks[4:8, 5:10] = 255
  write_video(folder / "mask.mp4", masks[None].repeat(6, 0), fractions.Fraction(25))
  for k, (name, count) in enumerate(lengths.items()):
    frames = [
      np.stack([(x + (2 + k) * t) * 9 % 256, y * 15 % 256, (x + y + k) * 5 % 256], -1)
      for t in range(count)
    ]
    write_video(folder / f"{name}.mp4", np.uint8(frames), fractions.Fraction(25))
    write_video(
      folder / f"{name}-mask.mp4", masks[None].repeat(count, 0), fractions.Fraction(25)
    )
  (folder / "words.mp4").write_text("not a video")
  (folder / "words-mask.mp4").write_text("not a video")


def write_manifest(clips: Path, folder: Path, names: list[str]) -> Path:
  """A list of clips, each with its name for a folder beside the list, and a seed."""
  lines = [
    f"{clips / name}.mp4,{clips / name}-mask.mp4,{name},{len(name)}" for name in names
  ]
  path = folder / "clips.csv"
  path.write_text("\n".join(["video,mask,output,seed", *lines]))
  return path


@contextlib.contextmanager
def starting():
  """Starts commands; ends them with the block."""
  with contextlib.ExitStack() as started:

    def start(*words: object, **environment: str) -> subprocess.Popen:
      process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      started.enter_context(process)
      started.callback(process.kill)
      return process

    yield start
