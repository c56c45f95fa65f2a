"""What no frame shows: one filling for all frames, without flicker."""

import dataclasses

import numpy as np
import pytest

from dipvid_jax.propagation.copies import hole_depth
from dipvid_jax.propagation.guess import make_guess
from dipvid_jax.propagation.steady import fill_steadily
from dipvid_jax.propagation.telea import telea
from flow import PairFlow, estimate_video_flow
from tests.support.synthetic import texture, translating_clip

COUNT, SIZE = 10, (64, 96)


def flow_of(step, count=COUNT):
  shape = (count - 1, *SIZE, 2)
  forward, backward = (
    np.broadcast_to(np.float32(way), shape) for way in (step, (-step[0], -step[1]))
  )
  visible = np.ones((*shape[:3], 1), bool)
  return PairFlow(1, forward, backward, visible, visible)


def still_clip(noise=0.03):
  """A camera that stands still, noise of its own in each frame, a logo's hole."""
  generator = np.random.default_rng(0)
  truth = np.broadcast_to(texture(*SIZE), (COUNT, *SIZE, 3))
  noisy = truth + generator.normal(0, noise, truth.shape)
  holes = np.zeros((COUNT, *SIZE, 1), np.float32)
  holes[:, 24:40, 40:60] = 1
  return noisy.clip(0, 1).astype(np.float32), holes


def test_a_logo_over_a_still_camera_is_filled_without_flicker():
  clip, holes = still_clip()
  filled = telea(clip, holes)
  (pairs,) = estimate_video_flow(filled, strides=(1,))
  guess = make_guess(filled, holes, pairs, generator=np.random.default_rng(0))
  hole = holes[0, ..., 0] > 0
  deep = hole_depth(hole[None])[0] > 4

  def flicker(frames, where):
    return frames[:, where].std(axis=0).mean()

  assert flicker(guess.frames, hole) < 0.65 * flicker(filled, hole)
  assert flicker(guess.frames, deep) < 0.4 * flicker(filled, deep)  # half a level


def test_all_frames_show_the_reference_where_nothing_moves():
  clip, holes = still_clip(noise=0)
  alone = holes[..., 0] > 0
  filled = telea(clip, holes)
  filled[alone] = np.random.default_rng(0).random((alone.sum(), 3))
  steady = fill_steadily(filled, alone, alone, flow_of((0, 0)))
  middle = COUNT // 2
  for frame in steady:
    np.testing.assert_allclose(frame[alone[0]], filled[middle][alone[0]], atol=1e-6)
  np.testing.assert_array_equal(steady[~alone], filled[~alone])


def test_the_filling_moves_with_the_scene():
  """A hole glued to the scene: frame t shows the reference's filling, moved."""
  step = (2, 1)
  clip = translating_clip(COUNT, SIZE, step=step)
  alone = np.zeros((COUNT, *SIZE), bool)
  for t in range(COUNT):
    alone[t, 20 + t : 36 + t, 30 + 2 * t : 50 + 2 * t] = True
  filled = clip.copy()
  filled[alone] = np.random.default_rng(0).random((alone.sum(), 3))
  steady = fill_steadily(filled, alone, alone, flow_of(step))
  shown = np.stack([steady[t][alone[t]] for t in range(COUNT)])
  np.testing.assert_allclose(shown, shown[[COUNT // 2]].repeat(COUNT, 0), atol=1e-4)


def test_light_that_changes_changes_the_filling():
  clip, holes = still_clip(noise=0)
  light = np.linspace(0.6, 1, COUNT, dtype=np.float32)[:, None, None, None]
  alone = holes[..., 0] > 0
  filled = telea(clip * light, holes)
  steady = fill_steadily(filled, alone, alone, flow_of((0, 0)))
  mean = np.array([frame[alone[0]].mean() for frame in steady])
  around = np.array([frame[~alone[0]].mean() for frame in clip * light])
  np.testing.assert_allclose(mean / mean[-1], around / around[-1], atol=0.08)


@pytest.mark.parametrize("step", [(9, 0), (0, -9)])
def test_what_the_reference_does_not_reach_gets_another(step):
  generator = np.random.default_rng(0)
  filled = generator.random((COUNT, *SIZE, 3)).astype(np.float32)
  alone = np.ones((COUNT, *SIZE), bool)
  steady = fill_steadily(filled, alone, alone, flow_of(step))
  assert np.isfinite(steady).all()
  later = np.roll(steady[COUNT // 2], step[::-1], axis=(0, 1))
  rows, columns = slice(10, -10), slice(10, -10)
  np.testing.assert_allclose(
    steady[COUNT // 2 + 1][rows, columns], later[rows, columns], atol=1e-4
  )


def test_a_cut_separates_the_fillings():
  clip, holes = still_clip(noise=0)
  alone = holes[..., 0] > 0
  filled = clip.copy()
  filled[:5][alone[:5]], filled[5:][alone[5:]] = 0, 1
  pairs = flow_of((0, 0))
  seen = pairs.forward_visible.copy()
  seen[4] = False
  pairs = dataclasses.replace(pairs, forward_visible=seen, backward_visible=seen)
  steady = fill_steadily(filled, alone, alone, pairs)
  assert (steady[:5][alone[:5]] == 0).all()
  assert (steady[5:][alone[5:]] == 1).all()
