"""What the encoder has learnt: its features compared with those of a reference patch.

The encoder's map at stride 32 has one vector per 32x32 patch. Five frames show its
cosine similarity to the reference patch's vector, beside that of VGG16's pool5, which
has the same stride. Zhang et al., section 5.1 and figure 9.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.composed import Composed, read_composed
from dipvid_jax.errors import InputError
from dipvid_jax.media.images import write_image
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.method.config import Config
from dipvid_jax.method.keys import Value
from dipvid_jax.networks.vgg import load_vgg16, vgg16_features
from dipvid_jax.training.fit import fit
from dipvid_jax.training.step import TrainState
from flow.types import Params
from studies.method_runs import as_unit, hole_mask
from studies.network import begin, flow_config
from studies.plots import stack_labelled
from studies.rows import write_rows

_STRIDE = 32
_LAYER = "down_4_b"  # the second convolution of the level with stride 32
_FRAMES = 5


def study_features(
  set_folder: str, video_id: str, *, output: Path, settings: Mapping[str, Value]
) -> list[dict[str, Any]]:
  """Trains DIP-Vid-Flow on a video and compares its features with VGG16's.

  Writes `features.json`, `features.csv` and `features.png`.

  Args:
    set_folder: a composed set.
    video_id: one of its videos, of at least five frames.
    output: the study's folder.
    settings: values of config keys to change.

  Returns:
    A row for each network, frame and patch, with the patch's place and similarity.

  Raises:
    InputError: the network has fewer than five levels.
  """
  composed = read_composed(set_folder, video_id)
  truth, holes = as_unit(composed.truth), hole_mask(composed.hole)
  config = flow_config(composed, settings)
  if config.network.levels < 5:
    raise InputError(
      f"config.levels: {config.network.levels} levels do not reach stride 32; "
      "set at least five levels"
    )
  start = (len(truth) - _FRAMES) // 2
  window = slice(start, start + _FRAMES)
  maps = {
    "encoder at stride 32": _encoder_features(composed, config, window),
    "VGG16 pool5": _pool5(truth[window]),
  }
  reference = _reference_patch(holes[start + _FRAMES // 2])
  similarities = {
    name: cosine_similarity(features, reference) for name, features in maps.items()
  }
  rows = [
    {
      "features": name,
      "frame": start + t,
      "row": row,
      "column": column,
      "similarity": float(value),
    }
    for name, maps_ in similarities.items()
    for (t, row, column), value in np.ndenumerate(maps_)
  ]
  write_rows(output / "features", rows)
  pictures = {
    f"frames {start}..{start + _FRAMES - 1}, the reference patch marked": (
      _strip(_mark(truth[window], reference))
    ),
    **{name: _strip(_fade(truth[window], s)) for name, s in similarities.items()},
  }
  write_image(output / "features.png", stack_labelled(pictures))
  return rows


def _encoder_features(composed: Composed, config: Config, window: slice) -> np.ndarray:
  """The trained encoder's features of a window, `[5, H/32, W/32, C]`."""
  network = begin(composed, config)
  program, clip = network.program, network.clip.device
  fitted = fit(
    program.start(clip), clip, visits=program.visits, fit_visits=program.fit_visits
  )
  state = cast(TrainState, fitted)

  @jax.jit
  def encode(params: Params, noise: jax.Array) -> jax.Array:
    _, captured = program.model.apply(
      {"params": params},
      noise,
      capture_intermediates=lambda module, _: module.name == _LAYER,
    )
    (features,) = captured["intermediates"][_LAYER]["__call__"]
    return features

  return np.asarray(encode(state.params, clip.noise[window]))


def _pool5(frames: np.ndarray) -> np.ndarray:
  """VGG16's features at stride 32, `[T, H/32, W/32, 512]`."""
  images = jnp.asarray(frames)
  features = vgg16_features(load_vgg16(blocks=5), images, convention="imagenet")[-1]
  count, height, width, channels = features.shape
  pairs = features[:, : height // 2 * 2, : width // 2 * 2]
  pairs = pairs.reshape(count, height // 2, 2, width // 2, 2, channels)
  return np.asarray(pairs.max(axis=(2, 4)))


def _reference_patch(hole: np.ndarray) -> tuple[int, int]:
  """(row, column) of the patch with the most hole; the middle one if none has any."""
  height, width = (side // _STRIDE for side in hole.shape[:2])
  blocks = hole[: height * _STRIDE, : width * _STRIDE, 0].reshape(
    height, _STRIDE, width, _STRIDE
  )
  share = blocks.mean(axis=(1, 3))
  if not share.any():
    return height // 2, width // 2
  row, column = np.unravel_index(np.argmax(share), share.shape)
  return int(row), int(column)


def cosine_similarity(features: np.ndarray, reference: tuple[int, int]) -> np.ndarray:
  """Similarity of every patch to one patch of the middle frame.

  Args:
    features: `[T, h, w, C]`.
    reference: (row, column) of the patch in frame T // 2.

  Returns:
    `[T, h, w]` in [-1, 1].
  """
  features = np.asarray(features, np.float64)
  lengths = np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
  unit = features / lengths
  return unit @ unit[(len(unit) // 2, *reference)]


def _fade(frames: np.ndarray, similarity: np.ndarray) -> np.ndarray:
  """Frames over white; the least similar patch is white, the most similar opaque."""
  low, high = similarity.min(), similarity.max()
  alpha = (similarity - low) / max(high - low, 1e-9)
  alpha = alpha.repeat(_STRIDE, axis=1).repeat(_STRIDE, axis=2)[..., None]
  frames = frames[:, : alpha.shape[1], : alpha.shape[2]]
  return to_levels(alpha * frames + (1 - alpha))


def _mark(frames: np.ndarray, reference: tuple[int, int]) -> np.ndarray:
  """Frames with a yellow box around the reference patch of the middle one."""
  marked = to_levels(frames)
  top, left = (index * _STRIDE for index in reference)
  patch = marked[len(marked) // 2, top : top + _STRIDE, left : left + _STRIDE]
  inner = patch[2:-2, 2:-2].copy()
  patch[:] = (255, 255, 0)
  patch[2:-2, 2:-2] = inner
  return marked


def _strip(frames: np.ndarray) -> np.ndarray:
  return np.concatenate(list(frames), axis=1)
