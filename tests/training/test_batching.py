"""Gathering a batch on the device against a loop over frames and pairs."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.training.batching import (
  DeviceClip,
  draw_noise,
  flow_scale,
  pair_hole_mask,
  put_clip,
  put_flow,
  take_batch,
)
from dipvid_jax.training.schedule import BACKWARD, FORWARD
from flow import PairFlow
from tests.support import oracles
from tests.support.synthetic import moving_hole, random_video_flow

COUNT, SIZE, STRIDES, BATCH_SIZE = 12, (5, 6), (1, 2, 3), 4
WHERE = [
  (start, index, direction)
  for index, t in enumerate(STRIDES)
  for start in (0, 2, COUNT - 1 - (BATCH_SIZE - 1) * t)
  for direction in (FORWARD, BACKWARD)
]


@pytest.fixture(scope="module")
def video_flow():
  return random_video_flow(COUNT, SIZE, STRIDES)


@pytest.fixture(scope="module")
def clip(video_flow):
  generator = np.random.default_rng(1)
  holes = moving_hole(COUNT, SIZE)
  return DeviceClip(
    noise=jnp.asarray(generator.random((COUNT, *SIZE, 1)), jnp.float32),
    frames=jnp.asarray(generator.random((COUNT, *SIZE, 3)), jnp.float32),
    hole_mask=jnp.asarray(holes),
    strides=jnp.asarray(STRIDES, jnp.int32),
    flow=put_flow(video_flow, holes),
  )


@pytest.fixture(scope="module")
def gather():
  return jax.jit(take_batch, static_argnames="batch_size")


def known_pair(video_flow, index, i, j):
  """Flow and visibility from frame i to frame j."""
  pairs = video_flow[index]
  if j > i:
    return pairs.forward[i], pairs.forward_visible[i]
  return pairs.backward[j], pairs.backward_visible[j]


def slow_batch(clip, video_flow, start, index, direction):
  """The batch's fields by name, frame by frame and pair by pair."""
  t = STRIDES[index]
  order = [start + t * k for k in range(BATCH_SIZE)]
  if direction == BACKWARD:
    order = order[::-1]
  pairs = video_flow[index]
  scale = max(1.0, np.abs(pairs.forward).max(), np.abs(pairs.backward).max())
  flows, visibles, holes = [], [], []
  for i, j in itertools.pairwise(order):
    flow, visible = known_pair(video_flow, index, i, j)
    hole = oracles.pair_hole(
      clip.hole_mask[i : i + 1], clip.hole_mask[j : j + 1], [flow]
    )
    flows.append(flow / np.float32(scale))
    visibles.append(visible)
    holes.append(hole[0])
  return {
    "noise": np.stack([clip.noise[i] for i in order]),
    "frames": np.stack([clip.frames[i] for i in order]),
    "hole_mask": np.stack([clip.hole_mask[i] for i in order]),
    "flow": np.stack(flows),
    "visible": np.stack(visibles),
    "flow_hole": np.stack(holes),
    "flow_scale": np.float32(scale),
    # f1 b1 f3 b3 f5 b5, two channels each
    "flow_channel": 2 * (2 * index + (direction == BACKWARD)),
  }


def take(gather, clip, *where):
  batch = gather(clip, *map(np.int32, where), batch_size=BATCH_SIZE)
  return jax.tree.map(np.asarray, batch)


@pytest.mark.parametrize("where", WHERE)
def test_a_batch_is_what_the_loop_gathers(gather, clip, video_flow, where):
  batch = take(gather, clip, *where)
  host_clip = jax.tree.map(np.asarray, clip)
  for name, expected in slow_batch(host_clip, video_flow, *where).items():
    actual = getattr(batch, name)
    np.testing.assert_array_equal(actual, expected, err_msg=name)
    if name != "flow_channel":
      assert actual.dtype == np.float32, name
  assert 0 < batch.flow_hole.mean() < 1 and 0 < batch.visible.mean() < 1


def test_one_compilation_serves_every_batch(clip):
  gather = jax.jit(take_batch, static_argnames="batch_size")
  for where in WHERE:
    take(gather, clip, *where)
  assert gather._cache_size() == 1


def assert_same_batch(actual, expected, *, but=()):
  for name in set(expected._fields) - {"flow", "flow_scale", *but}:
    jax.tree.map(
      np.testing.assert_array_equal, getattr(actual, name), getattr(expected, name)
    )
  pixels = (batch.flow * batch.flow_scale for batch in (actual, expected))
  np.testing.assert_allclose(*pixels, rtol=0, atol=1e-6)


@pytest.mark.parametrize("where", [(2, 0, FORWARD), (1, 1, BACKWARD)])
def test_a_clip_that_begins_later_has_the_same_batches_earlier(
  gather, clip, video_flow, where
):
  start, index, direction = where
  later = tuple(
    PairFlow(p.stride, *(array[1:] for array in list(vars(p).values())[1:]))
    for p in video_flow
  )
  shifted = DeviceClip(
    clip.noise[1:],
    clip.frames[1:],
    clip.hole_mask[1:],
    clip.strides,
    put_flow(later, np.asarray(clip.hole_mask)[1:]),
  )
  assert_same_batch(
    take(gather, shifted, start - 1, index, direction), take(gather, clip, *where)
  )


@pytest.mark.parametrize("where", [(2, 0, FORWARD), (1, 1, BACKWARD)])
def test_a_clip_played_backwards_swaps_the_directions(gather, clip, video_flow, where):
  start, index, direction = where
  turned = tuple(
    PairFlow(
      p.stride,
      forward=p.backward[::-1],
      backward=p.forward[::-1],
      forward_visible=p.backward_visible[::-1],
      backward_visible=p.forward_visible[::-1],
    )
    for p in video_flow
  )
  mirrored = DeviceClip(
    clip.noise[::-1],
    clip.frames[::-1],
    clip.hole_mask[::-1],
    clip.strides,
    put_flow(turned, np.asarray(clip.hole_mask)[::-1]),
  )
  first = COUNT - 1 - (start + (BATCH_SIZE - 1) * STRIDES[index])
  assert_same_batch(
    take(gather, mirrored, first, index, 1 - direction),
    take(gather, clip, *where),
    but=["flow_channel"],
  )


@pytest.mark.parametrize("where", [(3, 0, FORWARD), (2, 1, BACKWARD)])
def test_without_flow_a_batch_has_the_same_frames(gather, clip, where):
  expected = take(gather, clip, *where)
  batch = take(gather, clip._replace(flow=None), *where)
  assert_same_batch(
    batch._replace(flow=expected.flow, flow_scale=expected.flow_scale),
    expected,
    but=["visible", "flow_hole", "flow_channel", "clip_strides"],
  )
  assert batch.flow is batch.visible is batch.flow_hole is batch.flow_channel is None
  assert batch.clip_strides is None


def test_put_flow_has_an_entry_for_each_stride_direction_and_source(clip):
  known = clip.flow
  assert known.flow.shape == (3, 2, COUNT, *SIZE, 2) and known.flow.dtype == jnp.float32
  assert known.visible.shape == known.hole.shape == (3, 2, COUNT, *SIZE, 1)
  assert known.visible.dtype == known.hole.dtype == jnp.bool_
  for index, t in enumerate(STRIDES):
    assert (np.asarray(known.flow[index, 0, COUNT - t :]) == 0).all()
    assert (np.asarray(known.flow[index, 1, :t]) == 0).all()


def test_pair_holes_agree_with_the_loop():
  generator = np.random.default_rng(0)
  hole_i, hole_j = (generator.random((2, 3, 7, 9, 1)) < 0.1) * 1.0
  flow = generator.normal(scale=2, size=(3, 7, 9, 2))
  actual = oracles.in_float64(pair_hole_mask, hole_i, hole_j, flow)
  np.testing.assert_array_equal(actual, oracles.pair_hole(hole_i, hole_j, flow))


def pair_hole_at(dx, *, hole_i=(), hole_j=()):
  """The pair's hole in a row of eight pixels that all move by dx."""
  holes = np.zeros((2, 1, 1, 8, 1), np.float32)
  holes[0, 0, 0, list(hole_i)] = 1
  holes[1, 0, 0, list(hole_j)] = 1
  flow = np.broadcast_to(np.float32([dx, 0]), (1, 1, 8, 2))
  return np.flatnonzero(pair_hole_mask(*holes, flow)).tolist()


def test_a_pair_has_a_hole_where_either_frame_has_one():
  assert pair_hole_at(0) == []
  assert pair_hole_at(0, hole_i=[2], hole_j=[5]) == [2, 5]
  assert pair_hole_at(2, hole_i=[2], hole_j=[5]) == [2, 3]
  assert pair_hole_at(-1, hole_j=[5]) == [6]


def test_a_pair_has_a_hole_where_any_weighted_tap_is_in_one():
  assert pair_hole_at(0.01, hole_j=[5]) == [4, 5]
  assert pair_hole_at(4, hole_j=[7]) == [3]  # outside the frame is no hole


def test_flow_scale_is_the_largest_component_and_at_least_1():
  small, large = np.full((2, 3, 3, 2), 0.5), np.zeros((2, 3, 3, 2))
  large[1, 2, 0, 1] = -7.5
  assert flow_scale(small, small) == 1
  assert flow_scale(small, large) == flow_scale(large, small) == 7.5


def test_flow_scale_of_a_stride_covers_both_directions(clip, video_flow):
  for index, pairs in enumerate(video_flow):
    expected = max(np.abs(pairs.forward).max(), np.abs(pairs.backward).max())
    assert clip.flow.scale[index] == expected > 1


def test_noise_is_uniform_up_to_a_tenth_and_depends_on_its_key():
  noise = np.asarray(draw_noise(jax.random.key(0), (4, 32, 32, 1)))
  assert noise.dtype == np.float32
  assert noise.min() >= 0 and noise.max() < 0.1
  share, _ = np.histogram(noise, bins=4, range=(0, 0.1))
  np.testing.assert_allclose(share / noise.size, 0.25, atol=0.03)
  np.testing.assert_array_equal(noise, draw_noise(jax.random.key(0), noise.shape))
  assert (noise != np.asarray(draw_noise(jax.random.key(1), noise.shape))).any()


@pytest.mark.parametrize(
  ("where", "size", "words"),
  [
    ((9, 0, 0), 4, r"start 9: .* start at frames 0 to 8 of the clip"),
    ((-1, 0, 0), 4, "start -1"),
    ((6, 1, 0), 4, "start 6: batches of 4 frames at stride 2 start at frames 0 to 5"),
    ((0, 3, 0), 4, "stride_index 3: the clip has 3 strides"),
    ((0, -1, 0), 4, "stride_index -1"),
    ((0, 0, 2), 4, "direction 2: must be 0"),
    ((0, 0, 0), 13, "12 frames has no batch of 13 at stride 1"),
    ((0, 2, 0), 5, "12 frames has no batch of 5 at stride 3"),
    ((0, 0, 0), 0, "no batch of 0"),
  ],
)
@pytest.mark.parametrize("number", [int, np.int32, jnp.int32])
def test_a_batch_outside_the_clip_is_refused(clip, where, size, words, number):
  with pytest.raises(ValueError, match=words):
    take_batch(clip, *map(number, where), batch_size=size)


def test_what_is_known_of_a_traced_place_is_checked(clip):
  """Traced indices are clamped, as the documentation says."""

  def trace(start, index, **size):
    return jax.eval_shape(
      lambda clip, i: take_batch(clip, start, i, 0, **size), clip, index
    )

  with pytest.raises(ValueError, match="start 9: batches of 4 frames at stride 1"):
    trace(9, np.int32(0), batch_size=4)
  with pytest.raises(ValueError, match="no batch of 13"):
    trace(0, np.int32(0), batch_size=13)
  assert trace(8, np.int32(2), batch_size=4).frames.shape == (4, *SIZE, 3)


def test_a_clip_of_numpy_arrays_with_any_strides_has_the_same_batches(clip):
  """Among them negative ones, as `[..., ::-1]` makes of BGR, and int64."""
  host = jax.tree.map(np.asarray, clip)._replace(strides=np.array(STRIDES))

  def twice(array):
    """Turned in memory, and turned back as a view."""
    turned = array[(slice(None, None, -1),) * array.ndim].copy()
    return turned[(slice(None, None, -1),) * array.ndim]

  views = jax.tree.map(twice, host)
  assert views.frames.strides[0] < 0
  expected = take_batch(clip, 1, 1, BACKWARD, batch_size=BATCH_SIZE)
  batch = take_batch(views, 1, 1, BACKWARD, batch_size=BATCH_SIZE)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-6)
  jax.tree.map(close, batch, expected)  # NumPy divides the flow in its own way
  assert batch.frames.dtype == jnp.float32


def test_a_clip_is_put_on_the_device_from_arrays(clip, video_flow):
  frames, holes, noise = (
    np.asarray(x) for x in (clip.frames, clip.hole_mask, clip.noise)
  )
  put = put_clip(frames[..., ::-1], holes > 0, noise=noise, video_flow=video_flow)
  expected = clip._replace(frames=clip.frames[..., ::-1])
  jax.tree.map(np.testing.assert_array_equal, put, expected)
  assert {x.dtype for x in put[:3]} == {jnp.dtype(jnp.float32)}
  alone = put_clip(frames, holes / 2, noise=noise)
  assert alone.flow is None and alone.strides.tolist() == [1]
  assert put_clip(frames, holes, noise=noise, strides=(1, 3)).strides.tolist() == [1, 3]


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"frames": np.zeros((COUNT, *SIZE, 4), np.float32)}, r"\[T, H, W, 3\]"),
    ({"frames": np.full((COUNT, *SIZE, 3), 255.0)}, r"in \[0, 1\]"),
    ({"frames": np.full((COUNT, *SIZE, 3), np.nan)}, "must be finite"),
    ({"frames": np.zeros((COUNT, *SIZE, 3), np.uint8)}, "uint8; divide by 255"),
    ({"hole_masks": np.full((COUNT, *SIZE, 1), 255)}, "from 0 .* to 1"),
    ({"hole_masks": np.ones((COUNT, *SIZE, 1))}, "nothing is left to fit"),
    ({"hole_masks": np.zeros((COUNT, *SIZE))}, "hole_masks must be"),
    ({"noise": np.zeros((1, *SIZE, 1), np.float32)}, r"noise must be \[T, H, W, C\]"),
    ({"strides": (1, COUNT)}, "strides must be from 1 to 11"),
    ({"strides": ()}, "strides must be from 1"),
    ({"strides": (1, 2)}, r"video_flow must hold strides \(1, 2\)"),
  ],
)
def test_arrays_that_are_no_clip_are_refused(clip, video_flow, change, words):
  arrays = {
    "frames": np.asarray(clip.frames),
    "hole_masks": np.asarray(clip.hole_mask),
    "noise": np.asarray(clip.noise),
    "video_flow": video_flow,
  }
  given = arrays | change
  with pytest.raises(InputError, match=words):
    put_clip(given.pop("frames"), given.pop("hole_masks"), **given)
