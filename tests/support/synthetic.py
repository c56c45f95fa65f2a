"""Small made-up clips of which everything is known."""

import cv2
import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from dipvid_jax.training.batching import DeviceClip, put_flow
from dipvid_jax.types import Outputs
from flow import PairFlow


def texture(height, width, *, seed=0):
  """`[height, width, 3]` float32 in [0, 1]: coloured noise, smooth over some pixels."""
  noise = np.random.default_rng(seed).normal(size=(height, width, 3))
  smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
  smooth -= smooth.min()
  return np.float32(smooth / smooth.max())


def translating_clip(count, size, *, step=(2, 1), seed=0):
  """`[count, height, width, 3]` float32 whose content moves by `step` in each frame.

  The flow from frame i to frame j is (j - i) * step everywhere; (dx, dy) whole pixels.
  """
  height, width = size
  dx, dy = step
  margin = count * max(abs(dx), abs(dy))
  whole = texture(height + 2 * margin, width + 2 * margin, seed=seed)
  tops = [margin - i * dy for i in range(count)]
  lefts = [margin - i * dx for i in range(count)]
  return np.stack(
    [
      whole[top : top + height, left : left + width]
      for top, left in zip(tops, lefts, strict=True)
    ]
  )


def moving_hole(count, size):
  """`[count, height, width, 1]` float32: a box whose place differs in every frame."""
  height, width = size
  masks = np.zeros((count, height, width, 1), np.float32)
  for i in range(count):
    left = 1 + i % (width // 2)
    masks[i, height // 4 : height // 2, left : left + width // 4] = 1
  return masks


def random_video_flow(count, size, strides, *, seed=0):
  """Flow and visibility without any order, a different number in every place."""
  generator = np.random.default_rng(seed)

  def flow(pairs):
    return generator.normal(scale=1.5, size=(pairs, *size, 2)).astype(np.float32)

  def visible(pairs):
    return generator.random((pairs, *size, 1)) < 0.7

  return tuple(
    PairFlow(
      t, *(flow(count - t) for _ in range(2)), *(visible(count - t) for _ in range(2))
    )
    for t in strides
  )


class IndexEstimator:
  """An estimator whose flow names the frames: (index of first, index of second).

  For clips from `indexed_frames`. It counts its calls.
  """

  def __init__(self, *, identity="names the frames", pairs_per_call=3):
    self.identity = identity
    self.pairs_per_call = pairs_per_call
    self.calls = 0

  def __call__(self, first, second):
    assert len(first) == len(second) <= self.pairs_per_call
    self.calls += 1
    indices = np.stack([first[..., 0], second[..., 0]], axis=-1) * 100
    return np.rint(indices)


def indexed_frames(count, size=(2, 3)):
  """`[count, height, width, 3]` float32, frame i filled with i / 100."""
  values = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) / 100
  return np.broadcast_to(values, (count, *size, 3)).copy()


def device_clip(count, size, strides, *, seed=0):
  """A clip of noise with a moving hole and random flow, on the device."""
  generator = np.random.default_rng(seed)
  holes = moving_hole(count, size)
  return DeviceClip(
    noise=jnp.asarray(generator.uniform(0, 0.1, (count, *size, 1)), jnp.float32),
    frames=jnp.asarray(generator.random((count, *size, 3)), jnp.float32),
    hole_mask=jnp.asarray(holes),
    strides=jnp.asarray(strides, jnp.int32),
    flow=put_flow(random_video_flow(count, size, strides, seed=seed), holes),
  )


class PixelGenerator(nn.Module):
  """A generator that compiles fast: each pixel is a function of its own noise."""

  flow_channels: int

  @nn.compact
  def __call__(self, noise):
    """`[N, H, W, C]` to `Outputs`."""
    hidden = nn.tanh(nn.Dense(4, name="hidden")(10 * noise))
    heads = nn.Dense(3 + self.flow_channels, name="heads")(hidden)
    return Outputs(image=nn.sigmoid(heads[..., :3]), flow=heads[..., 3:])
