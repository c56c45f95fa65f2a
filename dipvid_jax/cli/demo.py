"""Makes the demo's input, and scores its result: `python -m dipvid_jax.cli.demo`."""

import sys
from pathlib import Path

import numpy as np

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.composed.demo_clip import FRAME_RATE, draw_ball, read_demo_clip
from dipvid_jax.media.images import write_images
from dipvid_jax.media.masks import HOLE_ABOVE, read_mask
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.metrics import hole_psnr
from dipvid_jax.propagation.telea import telea


def make(folder: Path) -> None:
  """Writes clip.mp4, mask.mp4 and, for the score alone, truth/."""
  folder.mkdir(parents=True, exist_ok=True)
  truth = read_demo_clip()
  clip, masks = draw_ball(truth)
  write_video(folder / "clip.mp4", clip, FRAME_RATE)
  write_video(folder / "mask.mp4", masks, FRAME_RATE)
  write_images(folder / "truth", truth)
  print(f"{folder / 'clip.mp4'}: Big Buck Bunny (c) Blender Foundation, CC BY 3.0,")
  print("  with a ball drawn into it; mask.mp4 marks the ball")


def score(folder: Path) -> str:
  """Compares the result in `folder`/result with what the ball hid.

  Args:
    folder: where `make` wrote and the run's output stands.

  Returns:
    A line with the hole PSNR of the result and of Telea.
  """
  truth = read_video(folder / "truth").frames / np.float32(255)
  clip = read_video(folder / "clip.mp4").frames / np.float32(255)
  masks = read_mask(folder / "mask.mp4", frame_count=len(clip), size=clip.shape[1:3])
  hole_masks = (masks > HOLE_ABOVE).astype(np.float32)
  result = read_video(folder / "result" / "frames").frames / np.float32(255)
  ours = hole_psnr(result, truth, hole_masks)
  yardstick = hole_psnr(telea(clip, hole_masks), truth, hole_masks)
  return f"hole PSNR: ours {ours:.1f} dB, Telea {yardstick:.1f} dB"


def main() -> int:
  """Runs `make` or `score`; returns the exit code."""
  parser = Parser("demo", description=__doc__ or "")
  parser.add_argument("action", choices=["make", "score"])
  parser.add_argument("folder", type=Path)
  arguments = parser.parse_args()

  def work() -> None:
    if arguments.action == "make":
      make(arguments.folder)
    else:
      print(score(arguments.folder))

  return run_command("demo", work)


if __name__ == "__main__":
  sys.exit(main())
