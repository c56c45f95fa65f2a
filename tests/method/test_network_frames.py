"""The clip at the network's size and back: nothing moves, flow keeps its meaning."""

import numpy as np
import pytest

from dipvid_jax.media.placement import place, place_in_network
from dipvid_jax.method.network_frames import network_frames
from dipvid_jax.method.recipes import load_config
from flow import PairFlow

_SIZE = (60, 100)


def _frames(**changes):
  values = {"levels": 2, "size": (24, 48), **changes}
  return network_frames(_SIZE, config=load_config("fast", **values))


def _ramp():
  rows, columns = np.mgrid[: _SIZE[0], : _SIZE[1]].astype(np.float32)
  image = np.stack([rows / 60, columns / 100, 0 * rows + 0.5], axis=-1)
  return np.stack([image, image[::-1]])


def test_a_larger_clip_is_padded_to_a_size_that_suits_the_network():
  placement = _frames().placement
  assert placement.size == (24, 48)
  assert placement.target[2:] == (24, 40)


def test_a_smaller_clip_is_never_enlarged():
  placement = _frames(size=(192, 384)).placement
  assert placement.target[2:] == _SIZE and placement.size == (60, 100)
  assert place_in_network((50, 90), size=(64, 96), levels=4).size == (64, 96)


def test_there_and_back_is_the_clip_as_far_as_the_size_allows():
  network, ramp = _frames(), _ramp()
  back = network.enlarge(network.reduce(ramp))
  assert back.shape == ramp.shape
  np.testing.assert_allclose(back[:, 4:-4, 4:-4], ramp[:, 4:-4, 4:-4], atol=4e-3)


def test_without_carry_the_frames_are_the_clips_own():
  network, ramp = _frames(carry=False, network_input="noise"), _ramp()
  assert network.same
  assert network.reduce(ramp) is ramp and network.enlarge(ramp) is ramp


def test_flow_is_in_the_pixels_of_its_frames():
  network = _frames()
  flow = np.broadcast_to(np.float32([5, -10]), (1, *_SIZE, 2))
  seen = np.ones((1, *_SIZE, 1), bool)
  smaller = network.reduce_flow(PairFlow(1, flow, -flow, seen, seen))
  np.testing.assert_allclose(smaller.forward, np.broadcast_to([2, -4], (1, 24, 48, 2)))
  np.testing.assert_allclose(smaller.backward, -smaller.forward)
  inside = np.zeros((24, 48), bool)
  inside[network.placement.target.slices] = True
  np.testing.assert_array_equal(smaller.forward_visible[0, ..., 0], inside)
  np.testing.assert_allclose(network.enlarge_flow(smaller.forward), flow, rtol=1e-6)


@pytest.mark.parametrize(
  ("input_size", "fit", "size", "source"),
  [
    ((720, 1280), "pad", (360, 640), (0, 0, 720, 1280)),
    ((1280, 720), "pad", (640, 360), (0, 0, 1280, 720)),
    ((240, 432), "pad", (240, 432), (0, 0, 240, 432)),
    ((480, 854), "crop", (360, 720), (26, 0, 427, 854)),
  ],
)
def test_pixels_are_carried_at_a_size_of_their_own(input_size, fit, size, source):
  placement = place(input_size, size=(192, 384), fit=fit, side=360)
  assert placement.size == size and placement.source == source
  assert placement.target == (0, 0, *placement.size)
