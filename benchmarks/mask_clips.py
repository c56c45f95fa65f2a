"""Clips whose objects have known masks, and for most of them a known background.

*real* is DAVIS bmx-trees with its own masks. In the others something with a known mask
is put over a video: the rider of bmx-trees as `benchmarks.composed_clips` places him
(he deforms, and his wheels are thin), the same passing behind a post, and a piece of
the video's own picture that turns, grows and moves.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.composed_clips import compose, place_rider, read_rider

_OPAQUE = 0.5
_RIDERS = ("bikes1", "bikes4", "bunny40", "zoom")
_POST = "bikes4"
_PIECES = {"piece of bikes": "bikes3", "piece of bunny": "bunny40"}
CLIPS = ("real", *_RIDERS, "post", *_PIECES)


class MaskClip(NamedTuple):
  """A clip.

  Attributes:
    frames: `[T, H, W, 3]` uint8 RGB.
    masks: `[T, H, W]` bool, the truth.
    background: `[T, H, W, 3]` uint8 RGB without the object; None: not known.
  """

  frames: np.ndarray
  masks: np.ndarray
  background: np.ndarray | None


def read_clip(
  name: str, *, bmx: Path, frame_count: int, size: tuple[int, int]
) -> MaskClip:
  """Makes a clip.

  Args:
    name: one of `CLIPS`.
    bmx: the folder of bmx-trees, with frames/ and masks/.
    frame_count: T; *real* has all of its 80.
    size: (H, W).
  """
  if name == "real":
    frames, riders = read_rider(bmx)
    return MaskClip(frames, riders > 127, None)
  video = _PIECES.get(name, _POST if name == "post" else name)
  background, _ = compose(video, bmx=bmx, frame_count=frame_count, size=size)
  if name in _PIECES:
    frames, masks = _move_piece(background)
    return MaskClip(frames, masks, background)
  frames, covers = place_rider(background, video, bmx=bmx)
  masks = covers > _OPAQUE
  if name == "post":
    frames, masks, background = _behind_post(frames, masks, background)
  return MaskClip(frames, masks, background)


def _behind_post(
  frames: np.ndarray, masks: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """A grey post with a grain, where the object is in the middle of the clip."""
  count, height, width = masks.shape
  columns = np.nonzero(masks[count // 2])[1]
  left = int(np.median(columns)) - width // 40
  shape = (height, width // 20, 3)
  grain = np.random.default_rng(0).normal(90, 25, shape).clip(0, 255)
  post = cv2.GaussianBlur(grain.astype(np.uint8), (0, 0), 1.0)
  frames, masks, background = frames.copy(), masks.copy(), background.copy()
  place = slice(left, left + post.shape[1])
  frames[:, :, place], background[:, :, place] = post, post
  masks[:, :, place] = False
  return frames, masks, background


def _move_piece(background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """A blob of the first picture, on its way across the clip."""
  count, height, width = background.shape[:3]
  angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
  radius = 0.13 * height * (1 + 0.25 * np.sin(3 * angle) + 0.1 * np.cos(7 * angle))
  centre = np.array([0.3 * width, 0.4 * height])
  outline = centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
  blob = np.zeros((height, width), np.uint8)
  cv2.fillPoly(blob, [outline.round().astype(np.int32)], 255)
  frames, masks = [], []
  for t in range(count):
    share = t / max(count - 1, 1)
    turn = cv2.getRotationMatrix2D(centre.tolist(), 70 * share, 1 + 0.4 * share)
    turn[:, 2] += (0.4 * width * share, 0.12 * height * np.sin(6 * share))
    cover = cv2.warpAffine(blob, turn, (width, height)).astype(np.float32) / 255
    moved = cv2.warpAffine(background[0], turn, (width, height))
    soft = cv2.GaussianBlur(cover, (0, 0), 0.7)[..., None]
    mixed = (1 - soft) * background[t] + soft * moved
    frames.append(np.rint(mixed).astype(np.uint8))
    masks.append(cover > _OPAQUE)
  return np.stack(frames), np.stack(masks)
