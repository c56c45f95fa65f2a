"""The parts of a run's report, kept on disk during the run.

`report/` in the run's folder holds three small videos, three time slices, a strip of
frames after some rounds, and `facts.json`. `page.write_report` combines them in one
file.
"""

import fractions
import json
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np

from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.placement import Placement
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.report.stage_times import StageTimes
from dipvid_jax.report.time_slice import enlarge, fullest_row, time_slice
from dipvid_jax.storage.atomic import replacing
from dipvid_jax.types import Video
from flow.machine import cpu_count

# Three videos and about fifteen pictures stay below 25 MB in base64.
VIDEO_BYTES = 4_500_000
_STRIP_BYTES, _SLICE_BYTES = 120_000, 400_000
_LONGEST_SIDE, _MOST_FRAMES = 480, 200
_MOST_STRIPS, _STRIP_FRAMES, _STRIP_WIDTH = 12, 5, 1200
_SLICE_HEIGHT = 120
_FACTS = "facts.json"
_LONGEST_JPEG = 65_500  # pixels a side, of libjpeg
_AROUND = 128  # grey level of the border that the network's frames do not cover
_PACKAGES = ("jax", "jaxlib", "numpy", "opencv-python-headless", "av", "flax", "optax")

# `[T, H, W, 3]` uint8 RGB, in memory or on disk.
Frames = np.ndarray | ImageSequence


class Shown(NamedTuple):
  """How a clip is shown in the report.

  Attributes:
    size: (H, W) in pixels, both even.
    step: every step-th frame is shown.
    row: where the time slice is cut, in pixels as shown.
    rate: frames per second as shown.
    placement: of the working frames in the input.
  """

  size: tuple[int, int]
  step: int
  row: int
  rate: fractions.Fraction
  placement: Placement


class ReportParts:
  """Writes the parts of a run's report as the run makes them."""

  def __init__(
    self,
    folder: Path,
    video: Video,
    masks: np.ndarray,
    *,
    placement: Placement,
    updates: int,
    rounds: int,
    windows: int,
    times: StageTimes,
    precision: str,
    resume: bool,
  ):
    """Writes the facts and the video of the input.

    Args:
      folder: the run's output folder.
      video: the input.
      masks: `[T, H, W, 1]` uint8, above 127 = hole.
      placement: of the working frames in the input.
      updates, rounds: of one window's schedule.
      windows: the number of windows.
      times: of the run; `write_facts` writes their present state.
      precision: of the network's products and convolutions.
      resume: add the times of the run so far to `times`.
    """
    self._folder = folder / "report"
    self._folder.mkdir(exist_ok=True)
    self._rounds, self._windows, self._times = rounds, windows, times
    if resume:
      times.add(read_facts(self._folder).get("seconds", {}))
    holes = masks > HOLE_ABOVE
    self._shown = _show(video, holes, placement)
    self._facts = {
      **_clip_facts(video, holes, self._shown),
      "updates": updates,
      "windows": windows,
      "device": _device(),
      "matmul_precision": precision,
      "versions": _versions(),
    }
    picked = range(0, len(masks), self._shown.step)
    size = self._shown.size
    levels = [_resize(holes[t, ..., 0].astype(np.uint8) * 255, size) for t in picked]
    self._write_clip(
      "before",
      np.stack([_resize(video.frames[t], size) for t in picked]),
      holes=np.stack(levels)[..., None] > HOLE_ABOVE,
    )
    # A round of a long clip replaces one window's frames; the others stay.
    self._clips = {
      name: np.full((len(picked), *size, 3), _AROUND, np.uint8)
      for name in ("after", "full")
    }
    self.write_facts(finished=False)

  def write_working(self, clips: Mapping[str, np.ndarray], *, first: int) -> None:
    """Replaces the videos and slices with a result at the working size.

    Args:
      clips: "after" and "full", each `[K, h, w, 3]` uint8 RGB.
      first: the index of their first frame in the whole clip.
    """
    target = self._shown.placement.target
    for name, frames in clips.items():
      for i, shown in enumerate(self._clips[name]):
        t = i * self._shown.step - first
        if 0 <= t < len(frames):
          shown[:] = _aligned(frames[t][target.slices], self._shown)
      self._write_clip(name, self._clips[name])

  def write_result(self, *, after: Frames, full: Frames) -> None:
    """Replaces the videos and slices with the final result; marks the run finished.

    Args:
      after: T frames of the input's size.
      full: T frames of the network, covering the same part of the input as the
        working frames.
    """
    for i, shown in enumerate(self._clips["after"]):
      shown[:] = _resize(after[i * self._shown.step], self._shown.size)
    for i, shown in enumerate(self._clips["full"]):
      shown[:] = _aligned(full[i * self._shown.step], self._shown)
    for name, clip in self._clips.items():
      self._write_clip(name, clip)
    self.write_facts(finished=True)

  def write_strip(self, full: np.ndarray, *, window: int, round_number: int) -> None:
    """Keeps a few of the network's frames after about twelve rounds of the run.

    Args:
      full: `[K, h, w, 3]` uint8 RGB.
      window, round_number: from 1.
    """
    rounds = self._windows * self._rounds
    kept = np.linspace(1, rounds, min(rounds, _MOST_STRIPS)).round()
    if (window - 1) * self._rounds + round_number not in kept:
      return
    picked = np.linspace(0, len(full) - 1, _STRIP_FRAMES).round().astype(int)
    strip = np.concatenate([full[i] for i in np.unique(picked)], axis=1)
    height, width = strip.shape[:2]
    if width > _STRIP_WIDTH:
      strip = _resize(strip, (height * _STRIP_WIDTH // width, _STRIP_WIDTH))
    path = self._folder / strip_name(window, round_number)
    _write(path, jpeg(strip, max_bytes=_STRIP_BYTES))

  def write_facts(self, *, finished: bool) -> None:
    """Replaces `facts.json`, with the times so far and the present time."""
    now = {
      "seconds": self._times.seconds,
      "finished": finished,
      "written": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
    content = json.dumps(self._facts | now, indent=2)
    _write(self._folder / _FACTS, content.encode())

  def _write_clip(
    self, name: str, clip: np.ndarray, *, holes: np.ndarray | None = None
  ) -> None:
    """Writes a video, `[N, H, W, 3]` as shown, and its time slice."""
    path = self._folder / f"{name}.mp4"
    write_video(path, clip, self._shown.rate, max_bytes=VIDEO_BYTES)
    cut = time_slice(clip, row=self._shown.row, holes=holes)
    picture = enlarge(cut, rows=max(1, round(_SLICE_HEIGHT / len(cut))))
    _write(self._folder / f"slice-{name}.jpg", jpeg(picture, max_bytes=_SLICE_BYTES))


def part_files(folder: Path) -> list[Path]:
  """The files that every run has in `report/`; strips of frames come to these.

  Args:
    folder: the run's output folder.
  """
  names = ("before", "after", "full")
  files = (*(f"{n}.mp4" for n in names), *(f"slice-{n}.jpg" for n in names), _FACTS)
  return [folder / "report" / name for name in files]


def strip_name(window: int, round_number: int) -> str:
  """The file name of a round's strip; both numbers from 1."""
  return f"window-{window:03}-round-{round_number:05}.jpg"


def read_facts(folder: Path) -> dict[str, Any]:
  """Reads `facts.json` in `report/`; empty if it is missing or damaged."""
  try:
    facts = json.loads((folder / _FACTS).read_text())
  except (OSError, ValueError):
    return {}
  return facts if isinstance(facts, dict) else {}


def jpeg(image: np.ndarray, *, max_bytes: int) -> bytes:
  """Encodes a picture at the best quality that fits.

  Args:
    image: `[H, W, 3]` uint8 RGB.
    max_bytes: the quality is lowered, then the size is halved, until it fits; the
      size of a picture too long for a JPEG is halved first.

  Returns:
    The file's content.
  """
  while max(image.shape[:2]) > _LONGEST_JPEG:
    image = _resize(image, (max(1, image.shape[0] // 2), image.shape[1] // 2))
  while True:
    for quality in (90, 75, 50):
      parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
      bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
      _, encoded = cv2.imencode(".jpg", bgr, parameters)
      if len(encoded) <= max_bytes or min(image.shape[:2]) < 2:
        return encoded.tobytes()
    image = _resize(image, (image.shape[0] // 2, image.shape[1] // 2))


def _clip_facts(video: Video, holes: np.ndarray, shown: Shown) -> dict[str, object]:
  """The part of `facts.json` that describes the input and how it is shown."""
  shares = holes.mean(axis=(1, 2, 3))
  return {
    "frames": len(holes),
    "input_size": list(holes.shape[1:3]),
    "working_size": list(shown.placement.size),
    "frame_rate": float(video.frame_rate),
    "shown_size": list(shown.size),
    "shown_every": shown.step,
    "hole": {
      "mean_share": float(shares.mean()),
      "largest_share": float(shares.max()),
      "frames": int(np.count_nonzero(shares)),
    },
  }


def _show(video: Video, holes: np.ndarray, placement: Placement) -> Shown:
  height, width = holes.shape[1:3]
  width *= float(video.pixel_aspect)
  scale = min(1, _LONGEST_SIDE / max(height, width))
  even = [max(2, 2 * round(side * scale / 2)) for side in (height, width)]
  step = -(-len(holes) // _MOST_FRAMES)
  row = min(even[0] - 1, int((fullest_row(holes) + 0.5) * even[0] / height))
  return Shown((even[0], even[1]), step, row, video.frame_rate / step, placement)


def _aligned(content: np.ndarray, shown: Shown) -> np.ndarray:
  """Puts the content of a working frame in its place in the input, as shown."""
  source = shown.placement.source
  down, across = (
    side / whole
    for side, whole in zip(shown.size, shown.placement.input_size, strict=True)
  )
  top, bottom = round(source.top * down), round((source.top + source.height) * down)
  left, right = (
    round(source.left * across),
    round((source.left + source.width) * across),
  )
  image = np.full((*shown.size, 3), _AROUND, np.uint8)
  size = (bottom - top, right - left)
  image[top:bottom, left:right] = _resize(content, size)
  return image


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  height, width = size
  smaller = height < image.shape[0]
  kind = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
  return cv2.resize(image, (width, height), interpolation=kind)


def _write(path: Path, content: bytes) -> None:
  with replacing(path) as partial:
    partial.write_bytes(content)


def _versions() -> dict[str, str]:
  versions = {"python": platform.python_version()}
  for package in ("dipvid_jax", *_PACKAGES):
    try:
      versions[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      versions[package] = "not installed"
  return versions


def _device() -> str:
  device = jax.devices()[0]
  if device.platform == "cpu":
    return f"CPU, {cpu_count()} cores"
  return f"{device.platform.upper()}, {device.device_kind}"
