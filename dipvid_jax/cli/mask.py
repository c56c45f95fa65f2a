"""`bin/mask`: makes a mask for every frame of a video."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dipvid_jax.cli.areas import parse_box, parse_range, parse_rectangle
from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.mask_paint_flags import add_painting_flags, asks_for_painting
from dipvid_jax.cli.mask_painting import paint
from dipvid_jax.cli.mask_sources import Clip, choose_sources, read_clip
from dipvid_jax.cli.process import as_process
from dipvid_jax.cli.serve_masks import add_serve_flags, serve_masks
from dipvid_jax.errors import InputError
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.masking.text_detector import INSTALL
from dipvid_jax.media.masks import dilate
from dipvid_jax.media.stacking import stack
from dipvid_jax.terminal import stage

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
  bin/mask --video clip.mp4 --paint 40=a.png --output marked
      anything that moves: painted white on black in one frame; the line at the end
      names the frame to correct
  bin/mask --video clip.mp4 --serve --output marked
      a page to paint, correct and run the removal on; needs the extra app
  bin/mask --video clip.mp4 --text --within 0,500,1280,220 --output marked
      subtitles; needs a detector: """

_RESULTS = """

Coordinates are those of the upright picture, as players show it. Frames are counted
from 0, and a range includes its last frame. Boxes, logo and text at once: what any of
them marks is marked.

results in the output folder:
  masks/        a PNG for every frame, 255 where to fill: bin/inpaint --mask DIR/masks
  mask.mp4      the same as a video without loss
  overlay.mp4   the clip with the mask in red: look at it before you go on
  preview.png   eight of its frames
  with --paint also painted/ and looks/, from which --continue continues, objects/ if
  there are several, and confidence.csv

exit code: 0 done, 1 a file could not be written, 2 bad input or a full disk, 130 Ctrl-C
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "mask",
    description="Makes a mask for every frame of a video, for bin/inpaint.",
    epilog=_EXAMPLES + INSTALL + _RESULTS,
  )
  add = parser.add_argument
  add("--video", type=Path, metavar="V", help="a video or a folder")
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
  add_painting_flags(parser)
  add_serve_flags(parser)
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  words = sys.argv[1:] if argv is None else argv
  arguments = make_parser().parse_args([*_with_negative_values(words)])

  def work() -> None:
    if arguments.serve:
      serve_masks(arguments)
    elif arguments.video is None:
      raise InputError("--video is missing: name a video or a folder of images")
    elif asks_for_painting(arguments):
      paint(arguments)
    else:
      _mark(arguments)

  return run_command("mask", work)


def _mark(arguments: argparse.Namespace) -> None:
  """Makes the masks of boxes, a logo and text."""
  folder = MaskFolder(arguments.output)
  sources = choose_sources(arguments)
  folder.check(overwrite=arguments.overwrite, inputs=_inputs(arguments))
  clip = read_clip(arguments)
  masks = _unite(clip, [source(clip) for source in sources], arguments.dilate)
  with stage("write", len(masks)) as progress:
    folder.write(masks, clip.video, overwrite=arguments.overwrite, on_progress=progress)
  marked = masks.any(axis=(1, 2))
  share = np.mean([mask.mean() / 255 for mask in masks[marked]])
  print(
    f"done: {folder.masks} ({len(masks)} masks, {marked.sum()} of them not black,"
    f" {share:.2%} of the picture there); look at {folder.overlay}, then:"
    f" bin/inpaint --video {arguments.video} --mask {folder.masks} --output RESULT"
  )


def _inputs(arguments: argparse.Namespace) -> dict[str, Path]:
  named = {"--video": arguments.video, "--boxes": arguments.boxes}
  return {flag: path for flag, path in named.items() if path is not None}


def _unite(clip: Clip, found: Sequence[np.ndarray], dilation: int) -> np.ndarray:
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


command = as_process(main)
