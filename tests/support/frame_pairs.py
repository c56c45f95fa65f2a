"""Pairs of frames, and the plain search of a patch of one in the other."""

import cv2
import numpy as np

from tests.support.oracles import gaussian_ssim
from tests.support.synthetic import texture


def pair_of_frames(kind, size=(60, 70)):
  """A frame and the next, whose content moved by (2, -3) and changed a little."""
  height, width = size
  frame = texture(height, width, seed=3)
  if kind == "noise":
    return [np.random.default_rng(i).random((*size, 3), np.float32) for i in (0, 1)]
  if kind == "smooth":
    frame = cv2.GaussianBlur(frame, (0, 0), 6)
  elif kind == "dark":
    frame = frame * np.float32(0.03)
  elif kind == "bright and nearly flat":
    frame = np.float32(0.95) + frame * np.float32(0.02)
  elif kind == "half flat":
    frame[:, : width // 2] = 0.5
  elif kind == "periodic":
    frame = np.tile(frame[:8, :9], (height // 8 + 1, width // 9 + 1, 1))[
      :height, :width
    ]
  elif kind == "black":
    frame = np.zeros_like(frame)
  next_frame = np.roll(frame, (2, -3), axis=(0, 1))
  if kind in ("repeated", "black"):
    return frame, next_frame
  change = np.random.default_rng(5).normal(size=frame.shape) * frame.std() * 0.3
  return frame, np.clip(next_frame + change, 0, 1).astype(np.float32)


KINDS = (
  "textured",
  "noise",
  "smooth",
  "dark",
  "bright and nearly flat",
  "half flat",
  "periodic",
  "repeated",
  "black",
)


def slow_best(frame, next_frame, corner, *, search):
  """Every candidate within the frame, one after another, in float64."""
  (top, left), size = corner, search.patch
  patch = np.float64(frame[top : top + size, left : left + size])
  squares, ssims = [], []
  for y in range(top - search.radius, top + search.radius + 1):
    for x in range(left - search.radius, left + search.radius + 1):
      if min(y, x) < 0 or y + size > frame.shape[0] or x + size > frame.shape[1]:
        continue
      candidate = np.float64(next_frame[y : y + size, x : x + size])
      squares.append(np.mean((patch - candidate) ** 2))
      ssims.append(gaussian_ssim(patch, candidate))
  return min(squares), max(ssims)
