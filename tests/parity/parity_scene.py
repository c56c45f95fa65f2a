"""A small made-up clip and made-up parameters, in NumPy, for both frameworks.

Numbers come from `RandomState`, whose streams NumPy has frozen: the goldens name
their seeds and hold no inputs.
"""

import dataclasses
import itertools
import math

import numpy as np

STRIDES = (1, 3, 5)
BATCH_SIZE = 5
_BLOCK_KERNELS = {
  "skip_{}": 1,
  "down_{}_a": 5,
  "down_{}_b": 5,
  "up_{}_a": 3,
  "up_{}_b": 1,
}
_CHANNELS = (16, 32, 64, 128, 128, 128)
_SKIP_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class Scene:
  """A clip with everything that is known of it.

  Attributes:
    frames: `[T, H, W, 3]` RGB in [0, 1].
    noise: `[T, H, W, 1]` in [0, 0.1].
    hole_mask: `[T, H, W, 1]` 0 or 1; never the same in two frames.
    flow: `[H, W, 2]` pixels for each pair (i, j) of frames.
    flow_scale: pixels per network unit for each stride.
  """

  frames: np.ndarray
  noise: np.ndarray
  hole_mask: np.ndarray
  flow: dict[tuple[int, int], np.ndarray]
  flow_scale: dict[int, float]

  def pair_flow(self, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Known flow of some pairs, `[P, H, W, 2]`."""
    return np.stack([self.flow[pair] for pair in pairs])


def make_scene(seed: int, *, length: int, height: int, width: int) -> Scene:
  """Draws a clip in float64, with flow of fractional pixels in all directions.

  The flow back is the negative of the flow there plus noise, so that some pixels
  pass the visibility check and some fail it, and some flow leaves the frame.
  """
  draw = np.random.RandomState(seed)
  shape = (length, height, width)
  frames = draw.uniform(size=(*shape, 3))
  noise = draw.uniform(0, 0.1, size=(*shape, 1))
  hole_mask = np.zeros((*shape, 1))
  for t in range(length):
    top, left = (height // 4 + t) % (height // 2), (width // 3 + 2 * t) % (width // 2)
    hole_mask[t, top : top + height // 4, left : left + width // 4] = 1
  flow, flow_scale = {}, {}
  for stride in (t for t in STRIDES if t < length):
    for i in range(length - stride):
      there = draw.uniform(-3, 3, size=2) + draw.uniform(
        -0.9, 0.9, size=(height, width, 2)
      )
      flow[i, i + stride] = there
      flow[i + stride, i] = -there + draw.uniform(-0.9, 0.9, size=there.shape)
    # The stored flow is float32: nothing may be lost there.
    flow = {pair: np.float32(value).astype(np.float64) for pair, value in flow.items()}
    largest = [abs(f).max() for (i, j), f in flow.items() if abs(i - j) == stride]
    flow_scale[stride] = max([1.0, *largest])
  return Scene(frames, noise, hole_mask, flow, flow_scale)


def batch_frames(start: int, stride: int, size: int = BATCH_SIZE) -> list[int]:
  """The frames of a batch, in the video's order."""
  return [start + k * stride for k in range(size)]


def batch_pairs(frames: list[int], *, forward: bool) -> list[tuple[int, int]]:
  """Pairs (i, j) of a batch: i runs over all but the last frame, or the first."""
  pairs = list(itertools.pairwise(frames))
  return pairs if forward else [(later, earlier) for earlier, later in pairs]


def flow_channel(stride: int, *, forward: bool) -> int:
  """First channel of a pair's flow in the order f1 b1 f3 b3 f5 b5, each (dx, dy)."""
  return 4 * STRIDES.index(stride) + (0 if forward else 2)


def make_params(
  seed: int, *, levels: int, out_channels: int, ndim: int = 2, second_kernel: int = 1
) -> dict:
  """Generator parameters by Flax's names, float64.

  Kernels are as large as the default initialisation makes them; BatchNorm's scales
  and offsets are drawn as well, so that a mistake in them shows.
  """
  draw = np.random.RandomState(seed)
  channels = _CHANNELS[:levels]
  params = {}
  for i, width in enumerate(channels):
    entering = channels[i - 1] if i else 1
    joined = _SKIP_CHANNELS + channels[min(i + 1, levels - 1)]
    block_inputs = (entering, entering, width, joined, width)
    kernels = {**_BLOCK_KERNELS, "up_{}_b": second_kernel}
    blocks = zip(kernels.items(), block_inputs, strict=True)
    for (name, size), inputs in blocks:
      features = _SKIP_CHANNELS if name.startswith("skip") else width
      kernel = _kernel_shape(size, ndim)
      params[name.format(i)] = {
        "conv": _draw_conv(draw, (*kernel, inputs, features)),
        "norm": _draw_norm(draw, features),
      }
    params[f"merge_{i}"] = _draw_norm(draw, joined)
  params["heads"] = _draw_conv(draw, (1, 1, channels[0], out_channels))
  return params


def _kernel_shape(size, ndim):
  return (size, size) if ndim == 2 else (min(size, 3), size, size)


def _draw_conv(draw, shape):
  bound = 1 / math.sqrt(math.prod(shape[:-1]))
  return {
    "kernel": draw.uniform(-bound, bound, size=shape),
    "bias": draw.uniform(-bound, bound, size=shape[-1:]),
  }


def _draw_norm(draw, features):
  return {
    "scale": draw.uniform(0.5, 1.5, size=features),
    "bias": draw.uniform(-0.5, 0.5, size=features),
  }
