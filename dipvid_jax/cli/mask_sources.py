"""The ways of `bin/mask` that mark a clip by themselves: boxes, a logo, text."""

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.cli.areas import BoxFlag
from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import FrameRange, Rectangle
from dipvid_jax.masking.boxes import BoxTrack, draw_boxes, read_boxes, still_box
from dipvid_jax.masking.still_logo import find_logo
from dipvid_jax.masking.text import find_text
from dipvid_jax.masking.text_detector import TextDetector, find_text_model
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.terminal import say, stage
from dipvid_jax.types import Video

_MOST_DILATION = 1000


class Clip(NamedTuple):
  """What a source of masks works on.

  Attributes:
    video: all frames.
    frames: those that get masks.
  """

  video: Video
  frames: FrameRange

  @property
  def size(self) -> tuple[int, int]:
    height, width = self.video.frames.shape[1:3]
    return height, width

  @property
  def images(self) -> np.ndarray:
    """The frames of the range, `[n, H, W, 3]` uint8 RGB."""
    return self.video.frames[self.frames.first : self.frames.last + 1]


# Makes masks of a clip's range, `[n, H, W]` bool.
Source = Callable[[Clip], np.ndarray]


def choose_sources(arguments: argparse.Namespace) -> list[Source]:
  """The ways that the flags ask for; flags that do not fit end here."""
  if arguments.within and not (arguments.logo or arguments.text):
    raise InputError("--within says where --logo or --text search; give one of them")
  if arguments.text_model and not arguments.text:
    raise InputError("--text-model is for --text; give both")
  if not 0 <= arguments.dilate <= _MOST_DILATION:
    raise InputError(
      f"--dilate {arguments.dilate}: must be 0 to {_MOST_DILATION} pixels"
    )
  chosen: list[Source] = []
  if arguments.box:
    chosen.append(functools.partial(_still_boxes, arguments.box))
  if arguments.boxes is not None:
    chosen.append(functools.partial(_moving_boxes, arguments.boxes))
  if arguments.logo:
    chosen.append(functools.partial(_logo, arguments.within))
  if arguments.text:
    detector = TextDetector(arguments.text_model or find_text_model())
    chosen.append(functools.partial(_text, detector, arguments.within))
  if not chosen:
    raise InputError(
      "what to mask is missing: --box, --boxes, --logo, --text or --paint"
    )
  return chosen


def read_clip(arguments: argparse.Namespace) -> Clip:
  """Reads the video and checks what the flags say of it."""
  with stage("read", 1) as progress:
    video = read_video(arguments.video)
    progress(1)
  for remark in video.remarks:
    say(f"{arguments.video}: {remark}")
  count, *size = video.frames.shape[:3]
  check_largest(arguments.video, (size[0], size[1]))
  frames = arguments.range or FrameRange(0, count - 1)
  frames.check(f"--range {frames.first}:{frames.last}", count)
  if arguments.within:
    arguments.within.check_inside("--within", (size[0], size[1]))
  return Clip(video, frames)


def _still_boxes(boxes: Sequence[BoxFlag], clip: Clip) -> np.ndarray:
  """The masks of --box."""
  count, size = len(clip.video.frames), clip.size
  tracks = [
    still_box(
      f"--box {box.text}", box.rectangle, box.frames, frame_count=count, size=size
    )
    for box in boxes
  ]
  return _draw(tracks, clip)


def _moving_boxes(path: Path, clip: Clip) -> np.ndarray:
  """The masks of --boxes."""
  count = len(clip.video.frames)
  return _draw(read_boxes(path, frame_count=count, size=clip.size), clip)


def _draw(tracks: Sequence[BoxTrack], clip: Clip) -> np.ndarray:
  masks = draw_boxes(tracks, frame_count=len(clip.video.frames), size=clip.size)
  return masks[clip.frames.first : clip.frames.last + 1]


def _logo(within: Rectangle | None, clip: Clip) -> np.ndarray:
  """The masks of --logo."""
  with stage("search for a logo", clip.size[0]) as progress:
    mask = find_logo(clip.images, within=within, on_progress=progress)
  return np.broadcast_to(mask, (len(clip.images), *mask.shape))


def _text(detector: TextDetector, within: Rectangle | None, clip: Clip) -> np.ndarray:
  """The masks of --text."""
  with stage("search for text", len(clip.images)) as progress:
    return find_text(clip.images, detector, within=within, on_progress=progress)
