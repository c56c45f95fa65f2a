"""What each frame looks like: VGG16's features and the flow to its neighbours.

It depends on the frames alone, so it is computed once and serves every correction,
which also goes on from what was learnt of the objects before.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.masking.propagation.learnt import Learnt
from dipvid_jax.networks.vgg import VGGParams, vgg16_features

MOST_PIXELS = 240 * 432  # of a working frame
STRIDES = (1, 2, 4, 8)  # of relu1_2, relu2_2, relu3_3, relu4_3
_MULTIPLE = STRIDES[-1]
_LEAST_SIDE = 2 * _MULTIPLE
_CHANNELS = (8, 24, 48, 64)  # kept of each layer
_SAMPLES = 4000  # pixels of a frame and a layer that the projections are learnt from


class Projection(NamedTuple):
  """Principal components of a layer's features.

  Attributes:
    mean: `[C]` float32.
    basis: `[C, c]` float32, scaled so that the components are about as large as 1.
  """

  mean: np.ndarray
  basis: np.ndarray


class Looks(NamedTuple):
  """A clip as masks are propagated through it, at its working size h x w.

  Attributes:
    size: (H, W) of the frames.
    frames: `[T, h, w, 3]` uint8 RGB.
    features: for each of `STRIDES`, `[T, h / stride, w / stride, c]` float16.
    to_next: `[T - 1, h, w, 2]` float16, flow from frame t to t + 1.
    to_previous: `[T - 1, h, w, 2]` float16, flow from frame t + 1 to t.
    projections: of the features.
    learnt: of the objects in the latest call; None before it.
  """

  size: tuple[int, int]
  frames: np.ndarray
  features: tuple[np.ndarray, ...]
  to_next: np.ndarray
  to_previous: np.ndarray
  projections: tuple[Projection, ...]
  learnt: Learnt | None = None


def look(
  frames: np.ndarray,
  *,
  first: Sequence[int],
  vgg: VGGParams,
  on_progress: Callable[[int], None],
) -> Looks:
  """Computes features and flow of all frames.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    first: frames that the projections are learnt from, with some others.
    vgg: from `load_vgg16(blocks=4)`.
    on_progress: called with 1 for each frame.

  Returns:
    The looks, about 5 MB a frame of 240x432 and larger ones.
  """
  size = (frames.shape[1], frames.shape[2])
  small = np.stack([_reduce(frame, working_size(size)) for frame in frames])
  count = len(frames)
  learnt_from = sorted({*first, *np.linspace(0, count - 1, 4).astype(int).tolist()})
  projections = _learn(small[learnt_from[:8]], vgg)
  features: list[list[np.ndarray]] = [[] for _ in STRIDES]
  for frame in small:
    for kept, layer in zip(
      features, view_features(frame, projections, vgg), strict=True
    ):
      kept.append(layer)
    on_progress(1)
  to_next, to_previous = _flows(small)
  stacked = tuple(np.stack(layer) for layer in features)
  return Looks(size, small, stacked, to_next, to_previous, projections)


def view_features(
  frame: np.ndarray, projections: Sequence[Projection], vgg: VGGParams
) -> list[np.ndarray]:
  """Projected features of one working frame.

  Args:
    frame: `[h, w, 3]` uint8 RGB.
    projections: of the looks.
    vgg: from `load_vgg16(blocks=4)`.

  Returns:
    For each of `STRIDES`, `[h / stride, w / stride, c]` float16.
  """
  layers = _project(_compiled_features(vgg, _as_image(frame)), tuple(projections))
  return [np.asarray(layer) for layer in layers]


def working_size(size: tuple[int, int]) -> tuple[int, int]:
  """(h, w) of the frames that features are computed of, multiples of 8."""
  scale = min(1.0, (MOST_PIXELS / (size[0] * size[1])) ** 0.5)
  height, width = (
    max(round(side * scale / _MULTIPLE) * _MULTIPLE, _LEAST_SIDE) for side in size
  )
  return height, width


def _reduce(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  if frame.shape[:2] == size:
    return frame
  return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)


def _learn(frames: np.ndarray, vgg: VGGParams) -> tuple[Projection, ...]:
  """Principal components of the layers on some frames."""
  draw = np.random.default_rng(0)
  samples: list[list[np.ndarray]] = [[] for _ in STRIDES]
  for frame in frames:
    for kept, layer in zip(samples, _features(vgg, frame), strict=True):
      pixels = layer.reshape(-1, layer.shape[-1])
      kept.append(pixels[draw.choice(len(pixels), min(len(pixels), _SAMPLES), False)])
  return tuple(
    _principal(np.concatenate(pixels), channels)
    for pixels, channels in zip(samples, _CHANNELS, strict=True)
  )


def _principal(pixels: np.ndarray, channels: int) -> Projection:
  mean = pixels.mean(axis=0)
  centred = pixels - mean
  values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
  values, vectors = values[::-1][:channels], vectors[:, ::-1][:, :channels]
  # Halfway to white: weak components count for more than they vary, and stay weaker.
  scale = (np.maximum(values, 1e-6 * values[0]) * values[0]) ** -0.25
  return Projection(mean, (vectors * scale).astype(np.float32))


def _flows(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
  pairs = list(itertools.pairwise(grey))
  shape = (0, *frames.shape[1:3], 2)

  def flows(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    for here, there in pairs:
      yield search.calc(here, there, None).astype(np.float16)  # type: ignore[call-overload]

  onward = list(flows(pairs))
  back = list(flows([pair[::-1] for pair in pairs]))
  empty = np.zeros(shape, np.float16)
  return (np.stack(onward), np.stack(back)) if pairs else (empty, empty)


def _features(vgg: VGGParams, frame: np.ndarray) -> list[np.ndarray]:
  """Layers relu1_2 to relu4_3 of `[h, w, 3]` uint8, `[h', w', C]` float32 each."""
  return [np.asarray(layer[0]) for layer in _compiled_features(vgg, _as_image(frame))]


def _as_image(frame: np.ndarray) -> np.ndarray:
  return frame[None].astype(np.float32) / 255


@jax.jit
def _compiled_features(vgg: VGGParams, image: jax.Array) -> tuple[jax.Array, ...]:
  return vgg16_features(vgg, image, convention="imagenet")


@jax.jit
def _project(
  layers: Sequence[jax.Array], projections: Sequence[Projection]
) -> list[jax.Array]:
  def project(layer: jax.Array, projection: Projection) -> jax.Array:
    centred = layer[0] - projection.mean.reshape(1, 1, -1)
    return (centred @ projection.basis).astype(jnp.float16)

  return list(map(project, layers, projections))
