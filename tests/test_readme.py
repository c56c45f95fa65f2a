"""The README's example runs as it stands, on a smaller clip and budget."""

import fractions
import pathlib
import re

import numpy as np

from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video

_README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


def test_the_library_example_runs(tmp_path, monkeypatch):
  blocks = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
  example = next(block for block in blocks if "inpaint_video" in block)
  smaller = {
    "size=(96, 192)": "size=(24, 48)",
    "levels=5, max_updates=500": "levels=3, max_updates=1",
  }
  for written, used in smaller.items():
    assert written in example
    example = example.replace(written, used)
  frames = np.random.default_rng(0).integers(0, 256, (6, 24, 48, 3), np.uint8)
  masks = np.zeros_like(frames)
  masks[:, 8:16, 16:32] = 255
  write_video(tmp_path / "clip.mp4", frames, fractions.Fraction(25))
  write_video(tmp_path / "mask.mp4", masks, fractions.Fraction(25))
  monkeypatch.chdir(tmp_path)
  exec(compile(example, "README.md", "exec"), {})
  assert read_video(tmp_path / "out.mp4").frames.shape == frames.shape
