"""The output folder of a run: what is in it, and whose it is."""

import fractions
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from dipvid_jax.atomic import replacing
from dipvid_jax.errors import InputError
from dipvid_jax.images import write_image, write_images
from dipvid_jax.metric_rows import append_row, keep_rows
from dipvid_jax.video_io import write_video

_RESULTS = ("inpainted.mp4", "full.mp4", "preview.png", "metrics.jsonl", "frames")
_FOLDERS = ("checkpoints", "flow")
_CONFIG = "config.json"


class RunFolder:
  """Paths and writers of one run's output.

  `inpainted.mp4`, `frames/` (stitched), `full.mp4`, `preview.png`, `config.json`,
  `metrics.jsonl`, `checkpoints/`, `flow/`.
  """

  def __init__(self, path: str | Path):
    """Names the folder; nothing is made yet.

    Args:
      path: the folder.
    """
    self.path = Path(path)
    self.checkpoints = self.path / "checkpoints"
    self.flow = self.path / "flow"
    self.metrics = self.path / "metrics.jsonl"

  def check(self, *, overwrite: bool, resume: bool) -> None:
    """Makes sure that nothing of another run would be lost.

    Args:
      overwrite: another run's files may be replaced.
      resume: the folder's own run goes on.

    Raises:
      InputError: it is a file, holds another run, or has none to resume.
    """
    if self.path.exists() and not self.path.is_dir():
      raise InputError(f"--output {self.path}: is a file; name a folder")
    held = [
      name for name in (_CONFIG, *_RESULTS, *_FOLDERS) if (self.path / name).exists()
    ]
    if resume:
      if _CONFIG not in held:
        raise InputError(
          f"--output {self.path}: holds no run to resume; leave out --resume"
        )
    elif held and not overwrite:
      raise InputError(
        f"--output {self.path}: holds another run ({', '.join(held)}); name another "
        f"folder, or add --resume to go on with it or --overwrite to replace it"
      )

  def create(self, config: dict[str, Any], *, resume: bool) -> None:
    """Makes the folder and writes the config; clears what a replaced run left.

    The stored flow stays: it is only reused where it fits.

    Args:
      config: plain values, as JSON.
      resume: keep everything.

    Raises:
      InputError: the folder cannot be written, or was begun with another config.
    """
    if resume:
      self._check_config(config)
      return
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      for name in (*_RESULTS, "checkpoints"):
        held = self.path / name
        if held.is_dir():
          shutil.rmtree(held)
        else:
          held.unlink(missing_ok=True)
      with replacing(self.path / _CONFIG) as partial:
        partial.write_text(json.dumps(config, indent=2) + "\n")
    except OSError as error:
      raise InputError(
        f"--output {self.path}: cannot be written ({error.strerror})"
      ) from error

  def _check_config(self, config):
    """A run goes on only with the settings that it began with."""
    try:
      begun = json.loads((self.path / _CONFIG).read_text())
      if not isinstance(begun, dict):
        raise ValueError("not an object")
    except (OSError, ValueError) as error:
      raise InputError(
        f"{self.path / _CONFIG}: cannot be read; start anew with --overwrite"
      ) from error
    ignored = {"video", "mask", "output"}  # the same files may have moved
    now = json.loads(json.dumps(config))
    keys = sorted((now.keys() | begun.keys()) - ignored)
    changed = [key for key in keys if now.get(key) != begun.get(key)]
    if changed:
      raise InputError(
        f"--resume: {self.path / _CONFIG} differs from this config in "
        f"{', '.join(f'{key} ({begun.get(key)} there, {now.get(key)} here)' for key in changed)}"
      )

  def append_metrics(self, row: dict[str, Any]) -> None:
    """Adds a line to `metrics.jsonl`."""
    append_row(self.metrics, row)

  def keep_metrics(self, *, updates: int) -> None:
    """Drops lines after so many updates: a resumed run writes them again."""
    keep_rows(self.metrics, updates=updates)

  def write_preview(self, image: np.ndarray) -> None:
    """Writes `preview.png`, `[H, W, 3]` uint8 RGB."""
    write_image(self.path / "preview.png", image)

  def write_results(
    self, stitched: np.ndarray, full: np.ndarray, frame_rate: fractions.Fraction
  ) -> None:
    """Writes `inpainted.mp4`, `frames/` and `full.mp4`; `[T, H, W, 3]` uint8 RGB.

    H.264 wants even sides: in the video, not in the images, an odd side repeats its
    last row or column.
    """
    write_images(self.path / "frames", stitched)
    odd = [(0, 0), *((0, side % 2) for side in stitched.shape[1:3]), (0, 0)]
    write_video(
      self.path / "inpainted.mp4", np.pad(stitched, odd, mode="edge"), frame_rate
    )
    write_video(self.path / "full.mp4", full, frame_rate)
