"""What remains beside a mask: found by its width, and not where nothing remains."""

import cv2
import numpy as np
import pytest

from dipvid_jax.propagation.residue import RING, find_residue
from dipvid_jax.propagation.telea import telea
from flow import estimate_video_flow
from tests.support.synthetic import translating_clip

_COUNT, _SIZE = 16, (80, 144)


def disc_at(t, radius):
  """A disc that crosses the frame by 6 pixels a frame, `[H, W]` in [0, 1]."""
  disc = np.zeros(_SIZE, np.float32)
  cv2.circle(disc, (26 + 6 * t, 40), radius, 1, -1)
  return disc


@pytest.fixture(scope="module")
def clip():
  """A panning texture, and the disc over it with an antialiased edge."""
  texture = translating_clip(_COUNT, _SIZE, step=(1, 0))
  background = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in texture])
  discs = [cv2.GaussianBlur(disc_at(t, 12), (0, 0), 0.6) for t in range(_COUNT)]
  return background, np.stack(discs)[..., None]


def found(frames, radius):
  masks = np.stack([disc_at(t, radius) for t in range(_COUNT)])[..., None]
  hidden = telea(frames, masks)
  (pairs,) = estimate_video_flow(hidden, strides=(1,))
  return find_residue(frames.astype(np.float32), masks, pairs)


@pytest.mark.parametrize(("radius", "width"), [(16, 0), (12, 1), (9, 4), (7, 6)])
def test_the_width_of_what_a_mask_leaves_out(clip, radius, width):
  background, discs = clip
  residue = found(background * (1 - discs) + discs * [0.9, 0.1, 0.1], radius)
  if not width:
    assert residue is None
    return
  assert abs(residue.width - width) <= 1
  assert len(residue.frames) >= residue.looked_at / 2 and residue.looked_at >= 4
  assert len(set(residue.frames)) == len(residue.frames)


def test_a_shadow_beside_the_mask_remains(clip):
  background, discs = clip
  shadow = np.stack([np.roll(disc[..., 0], (5, 5), (0, 1)) for disc in discs])
  darker = background * (1 - 0.5 * shadow[..., None])
  residue = found(darker * (1 - discs) + discs * [0.9, 0.1, 0.1], 14)
  assert residue is not None and 2 <= residue.width <= RING


def test_nothing_is_said_of_what_no_frame_shows(clip):
  background, discs = clip
  still = background * (1 - discs[:1]) + discs[:1] * [0.9, 0.1, 0.1]
  masks = np.broadcast_to(disc_at(0, 9)[None, ..., None], (_COUNT, *_SIZE, 1))
  still[:] = still[0]
  (pairs,) = estimate_video_flow(telea(still, masks), strides=(1,))
  assert find_residue(still.astype(np.float32), masks, pairs) is None
  assert find_residue(still.astype(np.float32), 0 * masks, pairs) is None
