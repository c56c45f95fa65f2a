"""Inference windows: each frame comes from the window with the frame in its middle."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.training.render import inference_windows, make_render
from dipvid_jax.types import Outputs


class WindowNamer(nn.Module):
  """Each output frame holds its own noise and the sum of its window's."""

  def __call__(self, noise):
    """`[N, H, W, 1]` to `Outputs`."""
    whole = jnp.broadcast_to(noise.sum(axis=0, keepdims=True), noise.shape)
    image = jnp.concatenate([noise, whole, noise], axis=-1)
    return Outputs(image=image, flow=jnp.concatenate([image, -image], axis=-1))


def numbered_noise(count):
  """Frame i holds 2^i, so every window has a different sum."""
  powers = 2.0 ** np.arange(count, dtype=np.float32)
  return jnp.asarray(np.broadcast_to(powers.reshape(-1, 1, 1, 1), (count, 2, 3, 1)))


def slow_render(noise, batch_size):
  """`[T, H, W, 3]`: for each frame the window whose middle is nearest to it."""
  frames = []
  for i in range(len(noise)):
    starts = range(len(noise) - batch_size + 1)
    start = min(starts, key=lambda start: abs(start + batch_size // 2 - i))
    window = np.asarray(noise)[start : start + batch_size]
    frames.append(np.concatenate([noise[i], window.sum(axis=0), noise[i]], axis=-1))
  return np.stack(frames)


@pytest.mark.parametrize(
  ("count", "batch_size"), [(5, 5), (6, 5), (9, 5), (12, 5), (4, 3), (3, 3), (4, 1)]
)
def test_frames_come_from_the_nearest_window(count, batch_size):
  noise = numbered_noise(count)
  outputs = make_render(WindowNamer(), batch_size=batch_size)({}, noise)
  np.testing.assert_array_equal(outputs.image, slow_render(noise, batch_size))
  assert isinstance(outputs.image, np.ndarray)


def test_a_clip_that_begins_later_renders_the_same_except_at_its_new_ends():
  noise = numbered_noise(12)
  render = make_render(WindowNamer(), batch_size=5)
  whole, later = render({}, noise).image, render({}, noise[1:]).image
  np.testing.assert_array_equal(later[2:], whole[3:])
  assert (later[:2] != whole[1:3]).any()


@pytest.mark.parametrize("flow_channels", [0, 2, 4])
def test_keeps_the_first_flow_channels(flow_channels):
  noise = numbered_noise(6)
  render = make_render(WindowNamer(), batch_size=5, flow_channels=flow_channels)
  outputs = render({}, noise)
  assert outputs.flow.shape == (6, 2, 3, flow_channels)
  np.testing.assert_array_equal(
    outputs.flow[..., :3], outputs.image[..., : min(flow_channels, 3)]
  )


def test_windows_of_seven_frames():
  assert inference_windows(7, batch_size=5) == [
    (0, slice(0, 3)),
    (1, slice(2, 3)),
    (2, slice(2, 5)),
  ]


def test_a_clip_shorter_than_a_window_is_refused():
  with pytest.raises(ValueError, match="4 frames are fewer than a window of 5"):
    make_render(WindowNamer(), batch_size=5)({}, numbered_noise(4))


def test_reports_each_window():
  seen = []
  render = make_render(WindowNamer(), batch_size=5)
  render({}, numbered_noise(7), lambda done, total: seen.append((done, total)))
  assert seen == [(1, 3), (2, 3), (3, 3)]


def test_one_compilation_serves_all_windows():
  traced = []

  class Counting(WindowNamer):
    def __call__(self, noise):
      traced.append(noise)
      return super().__call__(noise)

  make_render(Counting(), batch_size=5)({}, numbered_noise(12))
  assert len(traced) == 1
