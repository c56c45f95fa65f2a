"""The flow of a clip: which pairs, in which order, and what is visible."""

import numpy as np
import pytest

from flow import estimate_video_flow, find_scenes, visible_mask
from tests.support.synthetic import IndexEstimator, indexed_frames, translating_clip

COUNT = 8


@pytest.mark.parametrize("pairs_per_call", [1, 3, 100])
def test_every_pair_of_each_stride_both_ways(pairs_per_call):
  estimator = IndexEstimator(pairs_per_call=pairs_per_call)
  result = estimate_video_flow(
    indexed_frames(COUNT), strides=(1, 3, 5), estimator=estimator
  )
  assert [pairs.stride for pairs in result] == [1, 3, 5]
  for pairs in result:
    t = pairs.stride
    assert pairs.forward.shape == pairs.backward.shape == (COUNT - t, 2, 3, 2)
    assert pairs.forward.dtype == pairs.backward.dtype == np.float32
    for i in range(COUNT - t):
      assert (pairs.forward[i] == (i, i + t)).all()
      assert (pairs.backward[i] == (i + t, i)).all()


def test_progress_counts_all_flows_of_an_80_frame_clip():
  done = []
  estimate_video_flow(
    indexed_frames(80), estimator=IndexEstimator(), on_progress=done.append
  )
  assert sum(done) == 462 == 2 * (79 + 77 + 75)
  assert max(done) <= 3


@pytest.mark.parametrize("stride", [1, 2])
def test_dis_finds_the_step_times_the_stride(stride):
  clip = translating_clip(4, (48, 64), step=(2, -1))
  (pairs,) = estimate_video_flow(clip, strides=(stride,))
  for flow, sign in ((pairs.forward, 1), (pairs.backward, -1)):
    error = flow[:, 12:-12, 12:-12] - sign * stride * np.array([2, -1])
    assert np.median(np.linalg.norm(error, axis=-1)) < 0.5
  inner = pairs.forward_visible[:, 12:-12, 12:-12]
  assert inner.mean() > 0.9


def test_views_with_negative_strides_have_the_flow_of_a_copy():
  view = translating_clip(3, (24, 32))[:, :, ::-1, ::-1]
  assert min(view.strides) < 0
  (actual,), (expected,) = (
    estimate_video_flow(clip, strides=(1,)) for clip in (view, view.copy())
  )
  for array, copied in zip(vars(actual).values(), vars(expected).values(), strict=True):
    np.testing.assert_array_equal(array, copied)


class _RandomFlow:
  identity, pairs_per_call = "random", 2

  def __init__(self):
    self.generator = np.random.default_rng(0)

  def __call__(self, first, second):
    return self.generator.normal(scale=0.6, size=(*first.shape[:3], 2))


def test_visibility_is_checked_each_way():
  (pairs,) = estimate_video_flow(
    indexed_frames(4, (6, 7)), strides=(1,), estimator=_RandomFlow()
  )
  there = np.asarray(visible_mask(pairs.forward, pairs.backward)) > 0
  back = np.asarray(visible_mask(pairs.backward, pairs.forward)) > 0
  assert pairs.forward_visible.dtype == pairs.backward_visible.dtype == np.bool_
  np.testing.assert_array_equal(pairs.forward_visible, there)
  np.testing.assert_array_equal(pairs.backward_visible, back)
  assert (there != back).any() and 0.1 < there.mean() < 0.9


@pytest.mark.parametrize("stride", [0, -1, COUNT])
def test_a_stride_without_pairs_is_refused(stride):
  with pytest.raises(ValueError, match=rf"stride {stride} needs 1 to 7 for 8 frames"):
    estimate_video_flow(indexed_frames(COUNT), strides=(1, stride))


def test_frames_of_another_shape_are_refused():
  with pytest.raises(ValueError, match=r"frames must be \[T, H, W, 3\]"):
    estimate_video_flow(indexed_frames(COUNT)[..., :1], strides=(1,))


def _with_light(gains, size=(48, 64)):
  """A moving camera; frame t times `gains[t]`, or white where that is None."""
  clip = translating_clip(len(gains), size, step=(2, 0))
  clip = (clip - clip.mean()) * 0.8 + 0.5
  lit = [1 + 0 * x if g is None else x * g for x, g in zip(clip, gains, strict=True)]
  noise = np.random.default_rng(0).normal(scale=0.5 / 255, size=clip.shape)
  return np.rint((np.stack(lit) + noise).clip(0, 1) * 255).astype(np.float32) / 255


@pytest.mark.parametrize(
  ("gains", "cuts"),
  [
    ([0, 0, 0, 1, 1, 1], [3]),
    ([1, 1, 1, 0, 0], [3]),
    ([1, 1, None, 1, 1], [2, 3]),
    ([1, 1, 0, 1, 1], [2, 3]),
    ([0, 0, 0.1, 0.4, 0.75, 1], [2]),  # a short fade: its first frame that shows much
    ([1, 1, 2, 2, 1], []),  # a flash
    ([1, 0.5, 0.2, 0.5, 1], []),
    ([0, 0, 0, 0], []),  # nothing else to tell it from
    ([None, None, None], []),
  ],
)
def test_blank_frames_are_scenes_of_their_own(gains, cuts):
  """Black beside a scene, with the noise of a compression."""
  (pairs,) = estimate_video_flow(_with_light(gains), strides=(1,))
  assert [scene.start for scene in find_scenes(pairs)] == [0, *cuts]


def test_a_blank_frame_is_seen_from_no_other():
  (pairs,) = estimate_video_flow(_with_light([0, 1, 1, 1, 1]), strides=(3,))
  assert not pairs.forward_visible[0].any() and not pairs.backward_visible[0].any()
  assert pairs.forward_visible[1].mean() > 0.3
