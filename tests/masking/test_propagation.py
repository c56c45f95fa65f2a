"""Masks learnt from painted frames, on a small clip whose masks are known.

Features come from a stand-in with the channels of VGG16's layers: the real one is
tested with the network, and takes longer than all of this.
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.propagation import looks as looks_module
from dipvid_jax.masking.propagation import propagate_masks, propagation_work
from dipvid_jax.masking.propagation.confidence import next_frame
from dipvid_jax.masking.propagation.edges import to_own_size
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import translating_clip

_T, _H, _W = 9, 48, 64
_UPDATES = 100


@pytest.fixture(scope="module", autouse=True)
def quick_features():
  """Random convolutions' worth of features, instead of VGG16's."""
  draw = np.random.default_rng(0)
  mixes = [
    jnp.asarray(draw.normal(size=(9, channels)), jnp.float32)
    for channels in (64, 128, 256, 512)
  ]

  @jax.jit
  def features(_, image):
    blurred = (image + jnp.roll(image, 1, 1) + jnp.roll(image, 1, 2)) / 3
    x = jnp.concatenate([image, blurred, image * blurred], -1) - 0.5
    found = []
    for level, mix in enumerate(mixes):
      if level:
        count, height, width, channels = x.shape
        x = x.reshape(count, height // 2, 2, width // 2, 2, channels).mean((2, 4))
      found.append(jax.nn.relu(x @ mix))
    return tuple(found)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(looks_module, "_compiled_features", features)
    yield


def clip(objects=1):
  """Discs that move over a textured ground that pans; frames and labels."""
  ground = np.rint(60 + 80 * translating_clip(_T, (_H, _W), step=(1, 0)))
  frames = ground.astype(np.uint8)
  labels = np.zeros((_T, _H, _W), np.uint8)
  for t in range(_T):
    for k in range(objects):
      centre = (14 + 4 * t, 16) if k == 0 else (50 - 3 * t, 36)
      cv2.circle(labels[t], centre, 7, k + 1, -1)
  for k, colour in enumerate([(230, 60, 40), (40, 60, 230)], start=1):
    frames[labels == k] = colour
  return frames, labels


def iou(found, truth):
  return (found & truth).sum() / (found | truth).sum()


@pytest.fixture(scope="module")
def proposed():
  frames, labels = clip()
  counted = []
  masks = propagate_masks(
    frames,
    {4: labels[4] * np.uint8(255)},
    vgg=(),
    updates=_UPDATES,
    on_progress=counted.append,
  )
  return frames, labels, masks, sum(counted)


def test_the_object_is_followed_both_ways(proposed):
  frames, labels, masks, counted = proposed
  assert masks.labels.shape == frames.shape[:3] and masks.labels.dtype == np.uint8
  found = [iou(masks.masks[t], labels[t] > 0) for t in range(_T)]
  assert min(found) > 0.75 and np.mean(found) > 0.85
  assert counted == propagation_work(_T, _UPDATES, has_looks=False)
  assert masks.confidence[4] == 1
  others = np.delete(masks.confidence, 4)
  assert (others > 0).all() and (others < 1).all()
  assert masks.next_to_paint not in (None, 4)


def test_a_correction_keeps_what_is_painted_and_repeats(proposed):
  frames, labels, masks, _ = proposed
  wrong = masks.labels[7].copy()
  wrong[:3, :3] = 1
  given = {"looks": masks.looks, "vgg": (), "updates": _UPDATES}
  counted = []
  again = [
    propagate_masks(
      frames, {4: labels[4]}, locked={7: wrong}, on_progress=counted.append, **given
    )
    for _ in range(2)
  ]
  np.testing.assert_array_equal(again[0].labels, again[1].labels)
  np.testing.assert_array_equal(again[0].labels[7], wrong)
  np.testing.assert_array_equal(again[0].labels[4], labels[4])
  assert again[0].confidence[7] == 1 and again[0].looks.frames is masks.looks.frames
  assert sum(counted) == 2 * propagation_work(_T, _UPDATES, has_looks=True)
  learnt = again[0].looks.learnt
  assert learnt.calls == 1 and sorted(learnt.known) == [4, 7]
  same = propagate_masks(
    frames,
    {4: labels[4]},
    locked={7: wrong},
    **given | {"looks": again[0].looks, "on_progress": counted.append},
  )
  assert same.looks.learnt is learnt
  np.testing.assert_array_equal(same.labels, again[0].labels)
  assert sum(counted) == 3 * propagation_work(_T, _UPDATES, has_looks=True)


def test_several_objects_strokes_and_an_absent_object():
  frames, labels = clip(objects=2)
  strokes = np.zeros((_H, _W), np.int8)
  strokes[0:6, 0:6] = -1
  strokes[40:44, 2:6] = 2
  frames[8] = frames[0] * 0 + 90
  masks = propagate_masks(
    frames,
    {0: labels[0].astype(int), 8: np.zeros((_H, _W), bool)},
    strokes={3: strokes},
    vgg=(),
    updates=_UPDATES,
  )
  assert not masks.labels[8].any()
  assert (masks.labels[3][strokes == 2] == 2).all()
  assert not masks.labels[3][strokes == -1].any()
  for k in (1, 2):
    found = [iou(masks.labels[t] == k, labels[t] == k) for t in (1, 2)]
    assert min(found) > 0.6


def test_strokes_alone_are_enough_to_begin():
  frames, labels = clip()
  strokes = np.where(cv2.erode(labels[4], np.ones((5, 5))) > 0, 1, 0).astype(np.int8)
  strokes[cv2.dilate(labels[4], np.ones((9, 9))) == 0] = -1
  masks = propagate_masks(frames, {}, strokes={4: strokes}, vgg=(), updates=_UPDATES)
  assert iou(masks.masks[4], labels[4] > 0) > 0.7
  assert np.mean([iou(masks.masks[t], labels[t] > 0) for t in range(_T)]) > 0.6
  assert masks.confidence[4] < 1


def test_a_few_excluded_pixels_spoil_nothing(proposed):
  frames, labels, masks, _ = proposed
  strokes = np.zeros((_H, _W), np.int8)
  strokes[:3, -3:] = -1  # most windows of this frame hold none of them
  told = propagate_masks(
    frames,
    {4: labels[4]},
    strokes={6: strokes},
    looks=masks.looks,
    vgg=(),
    updates=_UPDATES,
  )
  assert np.mean([iou(told.masks[t], labels[t] > 0) for t in range(_T)]) > 0.8


@pytest.mark.parametrize(
  ("painted", "words"),
  [
    ({}, "no object is painted"),
    ({0: np.zeros((_H, _W), bool)}, "no object is painted"),
    ({9: np.ones((_H, _W), bool)}, "painted frame 9: the clip has frames 0 to 8"),
    ({0: np.ones((_W, _H), bool)}, "its mask is 64x48, the frames are 48x64"),
    ({0: np.ones((_H, _W))}, "must be bool or integers"),
    ({0: np.full((_H, _W), 300)}, "numbered from 1 to 254"),
  ],
)
def test_bad_masks_are_one_line(painted, words):
  frames, _ = clip()
  with pytest.raises(InputError, match=words):
    propagate_masks(frames, painted, vgg=())


def test_looks_of_another_clip_are_refused(proposed):
  frames, labels, masks, _ = proposed
  with pytest.raises(InputError, match="looks are of 9 frames of 48x64"):
    propagate_masks(frames[:5], {0: labels[0]}, looks=masks.looks, vgg=())


def test_the_next_frame_is_far_from_the_known_and_in_doubt():
  doubtful = np.full(60, 0.9, np.float32)
  doubtful[40:50] = 0.3
  doubtful[5] = 1
  shown = np.full(60, 500)
  assert 38 <= next_frame(doubtful, [5], shown) <= 52
  shown[38:50] = 20  # the object is hidden there
  assert next_frame(doubtful, [5], shown) in (36, 37, 50, 51, 52)
  assert next_frame(np.ones(2), [0, 1], shown[:2]) is None


def test_enlarged_masks_follow_the_frame():
  frame = np.full((64, 96, 3), 40, np.uint8)
  frame[:, 50:] = 210
  small = np.zeros((32, 48, 2), np.float32)
  small[:, 25:, 1] = 1
  small[..., 0] = 1 - small[..., 1]
  large = to_own_size(small, frame)
  assert large.shape == (64, 96, 2)
  np.testing.assert_array_equal(large[8:-8, :, 1] > 0.5, frame[8:-8, :, 0] > 100)
  np.testing.assert_array_equal(to_own_size(small, frame[:32, :48]), small)
