"""How good proposed masks are: from one, two and three painted frames.

  python -m benchmarks.mask_propagation --bmx BMX_TREES
  python -m benchmarks.mask_propagation --bmx BMX_TREES --fill --clips bikes1 bunny40

The middle frame is painted first, then the frame that the result names, each with the
truth. All figures are means over the frames that are not painted: *IoU*, *recall* of
the object's pixels as they are and with the mask grown by 3 pixels, *precision*.
Seconds are of a frame, of the processor and by the clock. `r` is the correlation of
confidence and IoU. `--fill` compares the removal (`fast.py`'s carrying, masks grown by
3) under proposed masks of two painted frames with that under the true ones: PSNR in dB
against the background within 5 pixels of the object. `--pictures DIR` keeps the frames
with the lowest IoU: what is found green, what is missed blue, what is too much red.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.mask_clips import CLIPS, MaskClip, read_clip
from dipvid_jax import inpaint_video, load_config, prepare, psnr
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.masking.propagation import propagate_masks
from dipvid_jax.media.discs import disc
from dipvid_jax.media.images import write_image
from dipvid_jax.media.masks import dilate

_GROWN, _NEAR = 3, 5  # pixels
_MOST_PAINTED = 3
_WORST = 5
_COLOURS = {(1, 1): (0, 255, 0), (0, 1): (0, 0, 255), (1, 0): (255, 0, 0)}


class Scores(NamedTuple):
  """Figures of each frame, `[T]`; NaN where they say nothing."""

  iou: np.ndarray
  recall: np.ndarray
  grown_recall: np.ndarray
  precision: np.ndarray


def score(found: np.ndarray, truth: np.ndarray) -> Scores:
  """Compares masks.

  Args:
    found, truth: `[T, H, W]` bool.
  """
  grown = np.stack([cv2.dilate(m.astype(np.uint8), disc(_GROWN)) > 0 for m in found])

  def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    sizes = whole.sum((1, 2))
    return np.where(sizes > 0, part.sum((1, 2)) / np.maximum(sizes, 1), np.nan)

  return Scores(
    shares(found & truth, found | truth),
    shares(found & truth, truth),
    shares(grown & truth, truth),
    shares(found & truth, found),
  )


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--bmx", type=Path, required=True)
  parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(CLIPS))
  parser.add_argument("--frames", type=int, default=40)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--fill", action="store_true")
  parser.add_argument("--pictures", type=Path)
  options = parser.parse_args()
  set_up_command()
  rows = _fills(options) if options.fill else _rows(options)
  for row in rows:
    print(row, flush=True)


def _clip(name: str, options: argparse.Namespace) -> MaskClip:
  return read_clip(name, bmx=options.bmx, frame_count=options.frames, size=(240, 432))


def _rows(options: argparse.Namespace) -> Iterator[str]:
  yield (
    "| clip | painted | IoU | recall | recall, 3 px grown | precision | r |"
    " processor s | s |"
  )
  yield "|" + " --- |" * 9
  for name in options.clips:
    clip = _clip(name, options)
    painted = {len(clip.frames) // 2: clip.masks[len(clip.frames) // 2]}
    looks = None
    for _ in range(_MOST_PAINTED):
      begun, spent = time.monotonic(), time.process_time()
      masks = propagate_masks(clip.frames, painted, looks=looks, seed=options.seed)
      count = len(clip.frames)
      seconds = (time.monotonic() - begun) / count
      processor = (time.process_time() - spent) / count
      looks = masks.looks
      others = np.setdiff1d(np.arange(count), list(painted))
      scores = score(masks.masks, clip.masks)
      means = [f"{np.nanmean(column[others]):.3f}" for column in scores]
      confident = np.corrcoef(masks.confidence[others], scores.iou[others])[0, 1]
      numbers = " ".join(map(str, painted))
      yield (
        f"| {name} | {numbers} | {' | '.join(means)} | {confident:.2f} |"
        f" {processor:.2f} | {seconds:.2f} |"
      )
      if options.pictures and len(painted) == _MOST_PAINTED - 1:
        _keep(options.pictures, name, clip, masks.masks, scores.iou, others)
      assert masks.next_to_paint is not None
      painted[masks.next_to_paint] = clip.masks[masks.next_to_paint]


def _keep(
  folder: Path,
  name: str,
  clip: MaskClip,
  found: np.ndarray,
  iou: np.ndarray,
  others: np.ndarray,
) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  for number in sorted(others, key=lambda n: iou[n])[:_WORST]:
    picture = clip.frames[number].copy()
    for (is_found, is_true), colour in _COLOURS.items():
      place = (found[number] == is_found) & (clip.masks[number] == is_true)
      picture[place] = picture[place] // 2 + np.array(colour, np.uint8) // 2
    file = f"{name.replace(' ', '-')}-{number:03d}-{iou[number]:.2f}.png"
    write_image(folder / file, picture)


def _fills(options: argparse.Namespace) -> Iterator[str]:
  yield "| clip | true masks | proposed masks | input |"
  yield "|" + " --- |" * 4
  for name in options.clips:
    clip = _clip(name, options)
    if clip.background is None:
      continue
    middle = len(clip.frames) // 2
    painted = {middle: clip.masks[middle]}
    masks = propagate_masks(clip.frames, painted, seed=options.seed)
    assert masks.next_to_paint is not None
    painted[masks.next_to_paint] = clip.masks[masks.next_to_paint]
    masks = propagate_masks(clip.frames, painted, looks=masks.looks, seed=options.seed)
    near = dilate(clip.masks[..., None].astype(np.uint8), _NEAR)[..., 0] > 0
    results = [_fill(clip.frames, m) for m in (clip.masks, masks.masks)]
    levels = [
      float(psnr(result[near], clip.background[near] / np.float32(255)))
      for result in (*results, clip.frames / np.float32(255))
    ]
    yield f"| {name} | {' | '.join(f'{level:.2f}' for level in levels)} |"


def _fill(frames: np.ndarray, masks: np.ndarray) -> np.ndarray:
  """The clip with what is masked removed, `[T, H, W, 3]` float32."""
  grown = dilate((masks[..., None] * np.uint8(255)).astype(np.uint8), _GROWN)
  size = frames.shape[1:3]
  ready, holes = prepare(frames, grown, size=size, fit="pad", hide_hole=True)
  config = load_config("fast", size=size, max_updates=1)
  return np.asarray(inpaint_video(ready, holes, config=config).stitched)


if __name__ == "__main__":
  main()
