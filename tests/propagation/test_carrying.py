"""Known pixels carried along the flow, and noise that moves with the scene."""

import dataclasses

import cv2
import jax
import numpy as np
import pytest

from dipvid_jax.propagation.carrying import carry_known_pixels
from dipvid_jax.training.network_input import moving_noise, scene_coordinates
from flow import PairFlow, find_scenes, scene_flow
from flow.refinement import grey_levels

_T, _H, _W = 7, 24, 40
_SPEED = 3  # pixels per frame by which the scene moves to the left


def _panorama():
  generator = np.random.default_rng(0)
  return generator.uniform(size=(_H, _W + _SPEED * _T, 3)).astype(np.float32)


def _pan():
  """A camera that pans over a panorama, and its exact flow."""
  scene = _panorama()
  frames = np.stack([scene[:, _SPEED * t : _SPEED * t + _W] for t in range(_T)])
  way = np.zeros((_T - 1, _H, _W, 2), np.float32)
  way[..., 0] = -_SPEED
  visible = np.ones((_T - 1, _H, _W, 1), bool)
  return frames, PairFlow(1, way, -way, visible, visible)


def _still_hole():
  """A hole that is fixed in the frame, so the pan uncovers what it hides."""
  holes = np.zeros((_T, _H, _W, 1), np.float32)
  holes[:, 8:16, 18:24] = 1
  return holes


def test_a_pan_uncovers_the_hole_exactly():
  frames, pairs = _pan()
  holes = _still_hole()
  hidden = np.where(holes > 0, np.float32(0.5), frames)
  carried = carry_known_pixels(hidden, holes, pairs)
  np.testing.assert_allclose(carried.frames, frames, atol=1e-5)
  hole = holes[..., 0] > 0
  assert carried.arrived[hole].all() and (carried.confidence[hole] > 0.6).all()


def test_a_static_scene_keeps_its_filling_without_confidence():
  frames, pairs = _pan()
  holes = _still_hole()
  still = PairFlow(
    1, 0 * pairs.forward, 0 * pairs.backward, *[pairs.forward_visible] * 2
  )
  hidden = np.where(holes > 0, np.float32(0.5), frames)
  carried = carry_known_pixels(hidden, holes, still)
  hole = holes[..., 0] > 0
  np.testing.assert_array_equal(carried.frames[hole], hidden[hole])
  assert not carried.arrived[hole].any() and not carried.confidence[hole].any()


def test_flow_that_does_not_return_is_not_trusted():
  frames, pairs = _pan()
  holes = _still_hole()
  wrong = PairFlow(1, pairs.forward, 0 * pairs.backward, *[pairs.forward_visible] * 2)
  trusted = carry_known_pixels(frames, holes, pairs).confidence[holes[..., 0] > 0]
  doubted = carry_known_pixels(frames, holes, wrong).confidence[holes[..., 0] > 0]
  assert doubted.max() < 0.05 < trusted.min()


def test_the_evidence_tells_whether_the_sides_agree():
  frames, pairs = _pan()
  holes = np.zeros((_T, _H, _W, 1), np.float32)
  holes[3, 8:16, 18:24] = 1  # one frame alone: both sides arrive after one step
  darker = frames.copy()
  darker[4:] *= 0.3
  agreeing, disagreeing = (
    carry_known_pixels(clip, holes, pairs).evidence for clip in (frames, darker)
  )
  assert agreeing.shape == (48, 5) and not agreeing[:, 4].any()  # both arrived
  assert np.median(agreeing[:, 2]) < np.log(0.011)
  assert np.median(disagreeing[:, 2]) > np.log(0.1)


def test_the_nearer_side_weighs_more():
  """One step on one side, two on the other."""
  frames, pairs = _pan()
  holes = np.zeros((_T, _H, _W, 1), np.float32)
  holes[3, 8:16, 18:24] = 1
  holes[4, 8:16, 18 - _SPEED : 24 - _SPEED] = 1  # the same scene points
  levels = np.arange(_T, dtype=np.float32) / 10
  frames = np.broadcast_to(levels[:, None, None, None], frames.shape).copy()
  carried = carry_known_pixels(frames, holes, pairs).frames[3, 8:16, 18:24]
  np.testing.assert_allclose(carried, (0.2 + 0.5 * 0.5) / 1.5, atol=1e-6)


def test_only_what_is_wanted_is_filled():
  frames, pairs = _pan()
  holes = _still_hole()
  wanted = holes[..., 0] > 0
  wanted[:, 12:] = False
  hidden = np.where(holes > 0, np.float32(0.5), frames)
  carried = carry_known_pixels(hidden, holes, pairs, wanted=wanted)
  np.testing.assert_allclose(carried.frames[wanted], frames[wanted], atol=1e-5)
  assert (carried.frames[:, 14:16, 18:24] == 0.5).all()
  assert len(carried.evidence) == wanted.sum()


def test_a_search_mends_a_flow_that_drifts():
  """Each step is off by a third of a pixel; a source three steps away by one."""
  scene = cv2.GaussianBlur(_panorama(), (0, 0), 2)
  scene = (scene - scene.min()) / np.ptp(scene)
  frames = np.stack([scene[:, _SPEED * t : _SPEED * t + _W] for t in range(_T)])
  _, pairs = _pan()
  drift = np.float32([0.33, 0])
  off = dataclasses.replace(
    pairs, forward=pairs.forward + drift, backward=pairs.backward - drift
  )
  holes = np.zeros((_T, _H, _W, 1), np.float32)
  holes[:, 6:18, 16:27] = 1
  hidden = np.where(holes > 0, np.float32(0.5), frames)
  followed = carry_known_pixels(hidden, holes, off)
  searched = carry_known_pixels(hidden, holes, off, looks=grey_levels(frames))
  hole = holes[..., 0] > 0
  errors = [np.square(c.frames - frames)[hole].mean() for c in (followed, searched)]
  assert errors[1] < 0.5 * errors[0]


def test_only_flow_at_stride_1_can_be_followed():
  frames, pairs = _pan()
  far = PairFlow(3, *(getattr(pairs, name) for name in (
    "forward", "backward", "forward_visible", "backward_visible")))  # fmt: skip
  with pytest.raises(ValueError, match="stride 1, got stride 3"):
    carry_known_pixels(frames, _still_hole(), far)
  with pytest.raises(ValueError, match="stride 1, got stride 3"):
    scene_coordinates(far)


def test_scene_coordinates_follow_the_pan():
  _, pairs = _pan()
  coordinates = scene_coordinates(pairs)
  columns, rows = np.meshgrid(np.arange(_W), np.arange(_H))
  for t in range(_T):
    # The middle frame starts at another column of the panorama.
    np.testing.assert_allclose(coordinates[t, ..., 0], columns + _SPEED * (t - _T // 2))
    np.testing.assert_allclose(coordinates[t, ..., 1], rows)


def test_moving_noise_is_the_same_at_the_same_scene_point():
  _, pairs = _pan()
  noise = np.asarray(
    moving_noise(jax.random.key(0), scene_coordinates(pairs), channels=3)
  )
  assert noise.shape == (_T, _H, _W, 3)
  assert noise.min() >= 0 and noise.max() <= 0.1 and noise.std() > 0.02
  for t in range(_T - 1):
    np.testing.assert_allclose(
      noise[t][:, _SPEED:], noise[t + 1][:, :-_SPEED], atol=1e-6
    )
  assert not np.allclose(noise[..., 0], noise[..., 1])


def _cut_pan():
  """Two pans, each uncovering what its hole hides, with a cut between them."""
  frames, pairs = _pan()
  other = 1 - frames
  nothing = np.zeros((1, _H, _W, 2), np.float32)
  unseen = np.zeros((1, _H, _W, 1), bool)
  joined = PairFlow(
    1,
    *(np.concatenate([way, nothing, way]) for way in (pairs.forward, pairs.backward)),
    *[np.concatenate([pairs.forward_visible, unseen, pairs.forward_visible])] * 2,
  )
  return np.concatenate([frames, other]), joined


def test_a_cut_separates_the_scenes():
  _, pairs = _cut_pan()
  assert find_scenes(pairs) == (slice(0, _T), slice(_T, 2 * _T))
  assert find_scenes(_pan()[1]) == (slice(0, _T),)
  assert len(scene_flow(pairs, slice(_T, 2 * _T)).forward) == _T - 1
  assert len(scene_flow(pairs, slice(3, 4)).forward) == 0


def test_nothing_is_carried_over_a_cut():
  """Without the cut, pixels of the other scene would be carried."""
  frames, pairs = _cut_pan()
  holes = np.concatenate([_still_hole(), _still_hole()])
  hidden = np.where(holes > 0, np.float32(0.5), frames)
  carried = carry_known_pixels(hidden, holes, pairs)
  for scene in find_scenes(pairs):
    alone = carry_known_pixels(hidden[scene], holes[scene], scene_flow(pairs, scene))
    np.testing.assert_array_equal(carried.frames[scene], alone.frames)
    np.testing.assert_array_equal(carried.arrived[scene], alone.arrived)
  np.testing.assert_allclose(carried.frames, frames, atol=1e-5)


def test_scenes_of_one_frame_keep_their_filling():
  frames, pairs = _pan()
  never = np.zeros_like(pairs.forward_visible)
  cut = PairFlow(1, pairs.forward, pairs.backward, never, never)
  assert find_scenes(cut) == tuple(slice(t, t + 1) for t in range(_T))
  carried = carry_known_pixels(frames, _still_hole(), cut)
  np.testing.assert_array_equal(carried.frames, frames)
  assert not carried.arrived.any()
  assert scene_coordinates(scene_flow(cut, slice(0, 1))).shape == (1, _H, _W, 2)
