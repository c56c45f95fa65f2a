"""`bin/mask`: makes a mask for every frame of a video."""

import argparse
import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.cli.areas import BoxFlag, parse_box, parse_range, parse_rectangle
from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import FrameRange, Rectangle
from dipvid_jax.masking.boxes import BoxTrack, draw_boxes, read_boxes, still_box
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.masking.still_logo import find_logo
from dipvid_jax.masking.text import find_text
from dipvid_jax.masking.text_detector import INSTALL, TextDetector, find_text_model
from dipvid_jax.media.masks import dilate
from dipvid_jax.media.stacking import stack
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.terminal import say, stage
from dipvid_jax.types import Video

_MOST_DILATION = 1000
_EXAMPLES = """\
examples:
  bin/mask --video clip.mp4 --box 20,10,120,48 --output marked
      a box in every frame: x,y,width,height in pixels from the upper left corner
  bin/mask --video clip.mp4 --box 20,10,120,48,0,99 --box 5,5,60,60,50,80 \\
      --output marked
      boxes in some frames: x,y,width,height,from,to
  bin/mask --video clip.mp4 --boxes boxes.csv --output marked
      boxes that move: columns frame,x,y,width,height,name; rows of one name are key
      frames, linear between them
  bin/mask --video clip.mp4 --logo --output marked
      a logo that stands still while the picture moves, found by itself
  bin/mask --video clip.mp4 --text --within 0,500,1280,220 --output marked
      subtitles; needs a detector: """

_RESULTS = """

Coordinates are those of the upright picture, as players show it. Frames are counted
from 0, and a range includes its last frame. Several ways at once: what any of them
marks is marked.

results in the output folder:
  masks/        a PNG for every frame, 255 where to fill: bin/inpaint --mask DIR/masks
  mask.mp4      the same as a video without loss
  overlay.mp4   the clip with the mask in red: look at it before you go on
  preview.png   eight of its frames

exit code: 0 done, 1 a file could not be written, 2 bad input or a full disk, 130 Ctrl-C
"""


class _Clip(NamedTuple):
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
_Source = Callable[[_Clip], np.ndarray]


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "mask",
    description="Makes a mask for every frame of a video, for bin/inpaint.",
    epilog=_EXAMPLES + INSTALL + _RESULTS,
  )
  add = parser.add_argument
  add("--video", type=Path, required=True, metavar="V", help="a video or a folder")
  add("--output", type=Path, required=True, metavar="DIR")
  add(
    "--box",
    type=parse_box,
    action="append",
    default=[],
    metavar="X,Y,W,H[,FROM,TO]",
    help="mask a box; may be repeated",
  )
  add("--boxes", type=Path, metavar="CSV", help="mask boxes with key frames")
  add("--logo", action="store_true", help="find a still logo on a moving picture")
  add("--text", action="store_true", help="find text and subtitles")
  add(
    "--text-model",
    type=Path,
    metavar="FILE",
    help="a DBNet text detector in ONNX (default: that of rapidocr-onnxruntime)",
  )
  add(
    "--within",
    type=parse_rectangle,
    metavar="X,Y,W,H",
    help="where to search for logo or text (default: everywhere)",
  )
  add(
    "--range",
    type=parse_range,
    metavar="FIRST:LAST",
    help="search and mask these frames only; the masks of the others are black",
  )
  add(
    "--dilate",
    type=int,
    default=0,
    metavar="PX",
    help="grow the masks by pixels (default: 0)",
  )
  add(
    "--overwrite",
    action="store_true",
    help="replace masks that this command wrote there, and nothing else",
  )
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  words = sys.argv[1:] if argv is None else argv
  arguments = make_parser().parse_args([*_with_negative_values(words)])

  def work() -> None:
    folder = MaskFolder(arguments.output)
    sources = _sources(arguments)
    folder.check(overwrite=arguments.overwrite, inputs=_inputs(arguments))
    clip = _read(arguments)
    masks = _unite(clip, [source(clip) for source in sources], arguments.dilate)
    with stage("write", len(masks)) as progress:
      folder.write(
        masks, clip.video, overwrite=arguments.overwrite, on_progress=progress
      )
    marked = masks.any(axis=(1, 2))
    share = np.mean([mask.mean() / 255 for mask in masks[marked]])
    print(
      f"done: {folder.masks} ({len(masks)} masks, {marked.sum()} of them not black,"
      f" {share:.2%} of the picture there); look at {folder.overlay}, then:"
      f" bin/inpaint --video {arguments.video} --mask {folder.masks} --output RESULT"
    )

  return run_command("mask", work)


def _sources(arguments: argparse.Namespace) -> list[_Source]:
  """The ways that the flags ask for; flags that do not fit end here."""
  if arguments.within and not (arguments.logo or arguments.text):
    raise InputError("--within says where --logo or --text search; give one of them")
  if arguments.text_model and not arguments.text:
    raise InputError("--text-model is for --text; give both")
  if not 0 <= arguments.dilate <= _MOST_DILATION:
    raise InputError(
      f"--dilate {arguments.dilate}: must be 0 to {_MOST_DILATION} pixels"
    )
  chosen: list[_Source] = []
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
    raise InputError("what to mask is missing: --box, --boxes, --logo or --text")
  return chosen


def _inputs(arguments: argparse.Namespace) -> dict[str, Path]:
  named = {"--video": arguments.video, "--boxes": arguments.boxes}
  return {flag: path for flag, path in named.items() if path is not None}


def _read(arguments: argparse.Namespace) -> _Clip:
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
  return _Clip(video, frames)


def _still_boxes(boxes: Sequence[BoxFlag], clip: _Clip) -> np.ndarray:
  """The masks of --box."""
  count, size = len(clip.video.frames), clip.size
  tracks = [
    still_box(
      f"--box {box.text}", box.rectangle, box.frames, frame_count=count, size=size
    )
    for box in boxes
  ]
  return _draw(tracks, clip)


def _moving_boxes(path: Path, clip: _Clip) -> np.ndarray:
  """The masks of --boxes."""
  count = len(clip.video.frames)
  return _draw(read_boxes(path, frame_count=count, size=clip.size), clip)


def _draw(tracks: Sequence[BoxTrack], clip: _Clip) -> np.ndarray:
  masks = draw_boxes(tracks, frame_count=len(clip.video.frames), size=clip.size)
  return masks[clip.frames.first : clip.frames.last + 1]


def _logo(within: Rectangle | None, clip: _Clip) -> np.ndarray:
  """The masks of --logo."""
  with stage("search for a logo", clip.size[0]) as progress:
    mask = find_logo(clip.images, within=within, on_progress=progress)
  return np.broadcast_to(mask, (len(clip.images), *mask.shape))


def _text(detector: TextDetector, within: Rectangle | None, clip: _Clip) -> np.ndarray:
  """The masks of --text."""
  with stage("search for text", len(clip.images)) as progress:
    return find_text(clip.images, detector, within=within, on_progress=progress)


def _unite(clip: _Clip, found: Sequence[np.ndarray], dilation: int) -> np.ndarray:
  """What any source marks, grown, and black beyond the range, `[T, H, W]` uint8."""

  def united() -> Iterator[np.ndarray]:
    for number in range(len(clip.video.frames)):
      mask = np.zeros(clip.size, np.uint8)
      if clip.frames.first <= number <= clip.frames.last:
        for masks in found:
          mask[masks[number - clip.frames.first]] = 255
      yield dilate(mask[None, ..., None], dilation)[0, ..., 0]

  masks = stack(united())
  if not masks.any():
    raise InputError("no frame has a mask: no box is in the frames of --range")
  return masks


def _with_negative_values(words: Sequence[str]) -> Iterator[str]:
  """Joins `--box -5,0,9,9` to `--box=-5,0,9,9`: argparse takes -5 for a flag."""
  flag = ""
  for word in words:
    if flag and re.match(r"-[\d.]", word):
      yield f"{flag}={word}"
      flag = ""
      continue
    if flag:
      yield flag
    flag = word if word in ("--box", "--within") else ""
    if not flag:
      yield word
  if flag:
    yield flag
