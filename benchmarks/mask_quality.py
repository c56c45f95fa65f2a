"""How much of a drawn logo or subtitle the masks of `bin/mask` cover.

  python -m benchmarks.mask_quality logo --bmx BMX_TREES
  python -m benchmarks.mask_quality text --bmx BMX_TREES --text-model DET.onnx

Logos and subtitles are drawn onto real clips, so that every pixel that they change is
known, and the clip is encoded as H.264 (CRF 23) before the mask is made. *Recall* is
the share of the changed pixels that the mask covers, *precision* the share of the mask
that is changed; *IoU* is of both. Text is searched in the lower half of the picture.
The fonts are those that Matplotlib ships (extra `studies`). `--pictures DIR` keeps a
frame of each clip with its mask in red.
"""

import argparse
import fractions
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.package_clips import package_frames
from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import Rectangle
from dipvid_jax.masking.overlay import tint
from dipvid_jax.masking.still_logo import find_logo
from dipvid_jax.masking.text import find_text
from dipvid_jax.masking.text_detector import TextDetector, find_text_model
from dipvid_jax.media.images import write_image
from dipvid_jax.media.masks import dilate
from dipvid_jax.media.video_reading import read_video

_CHANGED = 0.02  # of a pixel: less is less than a level of most colours
_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LINE = "The quick brown fox, again?"

# Where the clip begins and ends in its video, and whether the camera moves.
_CLIPS = {
  "bmx": ("", 0, 80, True),
  "bikes 0": ("bikes.mp4", 0, 75, True),
  "bikes 75": ("bikes.mp4", 75, 150, True),
  "bikes 150": ("bikes.mp4", 150, 250, True),
  "bunny 0": ("bigbuckbunny.mp4", 0, 60, False),
  "bunny 85": ("bigbuckbunny.mp4", 85, 132, False),
  "phone": ("carphone_pristine.mp4", 0, 90, False),
}


class Layer(NamedTuple):
  """What is drawn over every frame.

  Attributes:
    colour: `[H, W, 3]` float32 RGB, 0 to 255, times alpha.
    alpha: `[H, W]` float32, 1 = opaque.
  """

  colour: np.ndarray
  alpha: np.ndarray

  def under(self, colour: tuple[int, int, int], alpha: np.ndarray) -> "Layer":
    """Puts a shape of one colour onto this layer."""
    rest = 1 - alpha
    shape = np.array(colour, np.float32) * alpha[..., None]
    return Layer(self.colour * rest[..., None] + shape, self.alpha * rest + alpha)

  def over(self, frames: np.ndarray) -> np.ndarray:
    """`[T, H, W, 3]` uint8 frames under this layer."""
    rest = 1 - self.alpha[..., None]
    return np.stack(
      [
        np.rint(np.clip(f * rest + self.colour, 0, 255)).astype(np.uint8)
        for f in frames
      ]
    )


def _nothing(size: tuple[int, int]) -> Layer:
  return Layer(np.zeros((*size, 3), np.float32), np.zeros(size, np.float32))


def _letters(
  size: tuple[int, int],
  text: str,
  font: str,
  pixels: int,
  corner: tuple[float, float],
  outline: int = 0,
) -> np.ndarray:
  """The alpha of a line of text, `[H, W]` float32."""
  image = Image.new("L", size[::-1], 0)
  face = ImageFont.truetype(str(_FONTS / font), pixels)
  draw = ImageDraw.Draw(image)
  draw.text(corner, text, font=face, fill=255, stroke_width=outline, stroke_fill=255)
  return np.asarray(image, np.float32) / 255


def _disc(size: tuple[int, int], centre: tuple[int, int], radius: int) -> np.ndarray:
  fine = np.zeros((4 * size[0], 4 * size[1]), np.uint8)
  cv2.circle(fine, (4 * centre[0], 4 * centre[1]), 4 * radius, 255, -1)
  coarse = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA)
  return coarse.astype(np.float32) / 255


def logos(size: tuple[int, int]) -> dict[str, Layer]:
  """Logos of several kinds, by name, for frames of (H, W)."""
  height, width = size
  radius = height // 10
  bold, thin = "DejaVuSans-Bold.ttf", "DejaVuSans.ttf"
  above, below = (
    (width - 2 * radius, 2 * radius),
    (width - 2 * radius, height - 2 * radius),
  )
  seven = (above[0] - radius / 2, above[1] - 0.9 * radius)
  news = (size, "News 24", bold, height // 11, (0.06 * width, 0.82 * height))
  channel = _letters(size, "CHANNEL", bold, height // 10, (0.06 * width, 0.06 * height))
  small = max(height // 16, 10)
  sample = _letters(size, "sample.tv", thin, small, (0.72 * width, 0.86 * height))
  nothing = _nothing(size)
  red_disc = nothing.under((200, 30, 40), _disc(size, above, radius)).under(
    _WHITE, _letters(size, "7", bold, int(1.5 * radius), seven)
  )
  lower_disc = 0.4 * _disc(size, below, radius)
  return {
    "opaque disc": red_disc,
    "letters with an outline": nothing.under(_BLACK, _letters(*news, 2)).under(
      (255, 220, 0), _letters(*news)
    ),
    "letters, 50%": nothing.under(_WHITE, 0.5 * channel),
    "thin letters, 35%": nothing.under(_WHITE, 0.35 * sample),
    "two discs, 40%": nothing.under((230, 230, 230), lower_disc).under(
      (20, 20, 60), 0.4 * _disc(size, below, radius // 2)
    ),
    "opaque disc and thin letters": red_disc.under(_WHITE, 0.35 * sample),
  }


def subtitle(size: tuple[int, int], font: str, pixels: int, style: str) -> Layer:
  """A line of subtitles: plain, outline, shadow or yellow."""
  height, width = size
  length = ImageFont.truetype(str(_FONTS / font), pixels).getlength(_LINE)
  x, y = (width - length) / 2, height - 2.2 * pixels
  layer = _nothing(size)
  if style == "outline":
    edge = max(1, pixels // 14)
    layer = layer.under(_BLACK, _letters(size, _LINE, font, pixels, (x, y), edge))
  if style == "shadow":
    away = max(1, pixels // 12)
    shadow = _letters(size, _LINE, font, pixels, (x + away, y + away))
    layer = layer.under(_BLACK, 0.6 * shadow)
  colour = (255, 230, 0) if style == "yellow" else _WHITE
  return layer.under(colour, _letters(size, _LINE, font, pixels, (x, y)))


def _read(name: str, bmx: Path) -> np.ndarray:
  file, first, end, _ = _CLIPS[name]
  if not file:
    return read_video(bmx / "frames").frames
  frames = list(itertools.islice(package_frames(file), first, end))
  if frames[0].shape[0] == 720:
    frames = [cv2.resize(f, (640, 360), interpolation=cv2.INTER_AREA) for f in frames]
  return np.stack(frames)


def _encoded(frames: np.ndarray) -> np.ndarray:
  """The frames after H.264 at CRF 23."""
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "clip.mkv"
    with av.open(str(path), "w") as container:
      options = {"crf": "23", "preset": "fast"}
      stream = container.add_stream(
        "libx264", rate=fractions.Fraction(25), options=options
      )
      stream.height, stream.width = frames.shape[1:3]
      stream.pix_fmt = "yuv420p"
      for frame in frames:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
      container.mux(stream.encode())
    return read_video(path).frames


def _scores(masks: np.ndarray, changed: np.ndarray) -> tuple[float, float, float]:
  """Recall, precision and IoU of `[T, H, W]` masks of `[H, W]` changed pixels."""
  common = float((masks & changed).sum())
  drawn, marked = changed.sum() * len(masks), masks.sum()
  return common / drawn, common / max(marked, 1), common / (drawn + marked - common)


def _cells(values: tuple[float, ...]) -> str:
  return " | ".join(f"{value:.3f}" for value in values)


def _logo_rows(options: argparse.Namespace) -> Iterator[str]:
  grown = "2 px grown: recall | precision | IoU"
  yield f"| clip | logo | recall | precision | IoU | {grown} |"
  yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
  for clip in options.clips:
    frames = _read(clip, options.bmx)
    size = frames.shape[1:3]
    for name, layer in {"none": _nothing(size), **logos(size)}.items():
      seen = _encoded(layer.over(frames))
      try:
        mask = find_logo(seen)
      except InputError as error:
        yield f"| {clip} | {name} | {error} | | | | | |"
        continue
      larger = dilate(mask[None, ..., None].astype(np.uint8), 2)[..., 0] > 0
      changed = layer.alpha > _CHANGED
      if not changed.any():
        yield f"| {clip} | {name} | {mask.mean():.2%} of the picture masked | | | | | |"
        continue
      both = (*_scores(mask[None], changed), *_scores(larger, changed))
      yield f"| {clip} | {name} | {_cells(both)} |"
      _keep(options, f"logo-{clip}-{name}", seen[len(seen) // 2], mask)


def _text_rows(options: argparse.Namespace) -> Iterator[str]:
  detector = TextDetector(options.text_model or find_text_model())
  yield "| clip | font | style | recall | worst frame | precision | IoU |"
  yield "| --- | --- | --- | --- | --- | --- | --- |"
  for clip in options.clips:
    frames = _read(clip, options.bmx)[: options.frames]
    size = frames.shape[1:3]
    for font, pixels in (
      ("DejaVuSans", 12),
      ("DejaVuSans", 18),
      ("DejaVuSerif", 18),
      ("DejaVuSans-Bold", 24),
    ):
      for style in ("plain", "outline", "shadow", "yellow"):
        layer = subtitle(size, f"{font}.ttf", pixels, style)
        seen = _encoded(layer.over(frames))
        lower = Rectangle(0, size[0] // 2, size[1], size[0] - size[0] // 2)
        try:
          masks = find_text(seen, detector, within=lower)
        except InputError as error:
          yield f"| {clip} | {font} {pixels} px | {style} | {error} | | | |"
          continue
        changed = layer.alpha > _CHANGED
        recall, precision, iou = _scores(masks, changed)
        worst = min(float((m & changed).sum() / changed.sum()) for m in masks)
        row = _cells((recall, worst, precision, iou))
        yield f"| {clip} | {font} {pixels} px | {style} | {row} |"
        _keep(options, f"text-{clip}-{font}-{pixels}-{style}", seen[0], masks[0])


def _keep(
  options: argparse.Namespace, name: str, frame: np.ndarray, mask: np.ndarray
) -> None:
  if options.pictures:
    options.pictures.mkdir(parents=True, exist_ok=True)
    picture = tint(frame, mask.astype(np.uint8) * 255)
    write_image(options.pictures / f"{name.replace(' ', '-')}.png", picture)


def main() -> int:
  """Prints a table; returns the exit code."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("what", choices=["logo", "text"])
  parser.add_argument("--bmx", type=Path, required=True, help="bmx-trees, with frames/")
  parser.add_argument("--clips", nargs="+", choices=_CLIPS, default=list(_CLIPS))
  parser.add_argument("--frames", type=int, default=12, help="of each clip, for text")
  parser.add_argument("--text-model", type=Path)
  parser.add_argument("--pictures", type=Path, help="a folder for tinted frames")
  options = parser.parse_args()
  rows = _logo_rows if options.what == "logo" else _text_rows
  for row in rows(options):
    print(row, flush=True)
  return 0


if __name__ == "__main__":
  sys.exit(main())
