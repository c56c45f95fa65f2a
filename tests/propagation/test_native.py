"""Carried pixels at the input's own size."""

import cv2
import numpy as np
import pytest

from dipvid_jax.media.pixels import to_levels
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare_frames, prepare_holes, put_back
from dipvid_jax.media.stacking import stack
from dipvid_jax.propagation.alternation import propagate
from dipvid_jax.propagation.native import carried_detail
from dipvid_jax.propagation.regions import sample_points
from dipvid_jax.propagation.telea import telea
from flow import PairFlow
from tests.support.synthetic import translating_clip

_COUNT, _SIZE, _WORKING = 7, (120, 160), (60, 80)
_STEP = 6  # pixels of the input in each frame


def _clip():
  frames = to_levels(translating_clip(_COUNT, _SIZE, step=(_STEP, 0), seed=3))
  fine = np.random.default_rng(0).integers(-40, 41, (_SIZE[0], _SIZE[1] + 60, 3))
  for t, frame in enumerate(frames):  # texture that the working size cannot hold
    shifted = fine[:, 60 - _STEP * t : 60 - _STEP * t + _SIZE[1]]
    frame[:] = np.clip(frame.astype(int) + shifted, 0, 255)
  masks = np.zeros((_COUNT, *_SIZE, 1), np.uint8)
  masks[:, 50:74, 70:94] = 255
  return frames, masks


def _pairs(size):
  forward = np.zeros((_COUNT - 1, *size, 2), np.float32)
  forward[..., 0] = _STEP * size[1] / _SIZE[1]
  visible = np.ones((_COUNT - 1, *size, 1), bool)
  return PairFlow(1, forward, -forward, visible, visible)


def _detail(frames, masks, fit="pad"):
  placement = place(_SIZE, size=_WORKING, fit=fit)
  holes = prepare_holes(masks, placement, hide_hole=True).astype(np.float32)
  filled = telea(prepare_frames(frames, placement), holes)
  carried = propagate(filled, holes, _pairs(placement.size))
  detail = carried_detail(
    carried,
    holes * carried.arrived[..., None],
    frames=frames,
    masks=masks,
    placement=placement,
    length=700,
  )
  return carried, detail, placement


def test_the_inputs_own_texture_comes_back():
  frames, masks = _clip()
  carried, detail, placement = _detail(frames, masks)
  levels = to_levels(carried.frames)
  hole = masks[..., 0] > 0
  fills = [
    stack(put_back(frames, masks, levels, placement=placement, detail=d))
    for d in (None, detail)
  ]
  errors = [np.square(fill[hole].astype(float) - frames[hole]).mean() for fill in fills]
  assert errors[1] < 0.35 * errors[0]
  assert detail.shape == (_COUNT, 700, 3) and not detail[:, 24 * 24 :].any()


def test_what_the_hole_hides_is_never_sampled():
  frames, masks = _clip()
  garbage = np.random.default_rng(1).integers(0, 256, frames.shape, np.uint8)
  _, plain, _ = _detail(frames, masks)
  _, other, _ = _detail(np.where(masks > 0, garbage, frames), masks)
  np.testing.assert_array_equal(plain, other)


def test_nothing_is_added_where_nothing_was_carried():
  frames, masks = _clip()
  carried, _, placement = _detail(frames, masks)
  nothing = carried_detail(
    carried,
    np.zeros((_COUNT, *placement.size, 1), np.float32),
    frames=frames,
    masks=masks,
    placement=placement,
    length=700,
  )
  assert not nothing.any()


@pytest.mark.parametrize("count", [0, 1, 4096, 40_000])
def test_any_number_of_points_is_sampled(count):
  """OpenCV's own maps end at 32,766 rows."""
  image = np.random.default_rng(0).random((50, 60, 3)).astype(np.float32)
  where = np.random.default_rng(1).uniform(0, 49, (count, 2)).astype(np.float32)
  sampled = sample_points(image, where)
  assert sampled.shape == (count, 3)
  if count:
    single = cv2.remap(image, where[-1:, :1], where[-1:, 1:], cv2.INTER_LINEAR)
    np.testing.assert_allclose(sampled[-1], single[0, 0], atol=1e-6)
