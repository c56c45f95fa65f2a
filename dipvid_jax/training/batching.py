"""The clip on the device, and gathering a batch from it."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from dipvid_jax.errors import InputError
from dipvid_jax.training.clip_checks import check_flow, check_frames, check_hole_masks
from dipvid_jax.types import Batch
from flow import VideoFlow, backward_warp
from flow.types import AnyArray

NOISE_AMPLITUDE = 0.1

Index = Int[jax.Array, ""] | np.integer | int


class DeviceFlow(NamedTuple):
  """Known flow of all pairs, indexed by stride, direction and source frame.

  Entries without a pair are zero and never gathered.

  Attributes:
    flow: `[S, 2, T, H, W, 2]` float32, pixels; direction 0 forward, 1 backward.
    visible: `[S, 2, T, H, W, 1]` bool.
    hole: `[S, 2, T, H, W, 1]` bool, either frame of the pair is in the hole.
    scale: `[S]` float32, pixels per network unit.
  """

  flow: Float[jax.Array, "S 2 T H W 2"]
  visible: Bool[jax.Array, "S 2 T H W 1"]
  hole: Bool[jax.Array, "S 2 T H W 1"]
  scale: Float[jax.Array, " S"]


class DeviceClip(NamedTuple):
  """What stays on the device for the whole run.

  Attributes:
    noise: `[T, H, W, C]` float32, the fixed network input.
    frames: `[T, H, W, 3]` float32, RGB in [0, 1].
    hole_mask: `[T, H, W, 1]` float32; between 0 and 1 where a carried pixel is
      partly trusted.
    strides: `[S]` int32, distances in frames at which batches are taken.
    flow: the known flow at these strides; None for methods without flow.
  """

  noise: Float[jax.Array, "T H W C"]
  frames: Float[jax.Array, "T H W 3"]
  hole_mask: Float[jax.Array, "T H W 1"]
  strides: Int[jax.Array, " S"]
  flow: DeviceFlow | None = None


def draw_noise(
  key: PRNGKeyArray, shape: tuple[int, ...]
) -> Float[jax.Array, "T H W C"]:
  """The authors' network input, uniform on [0, 0.1]; they use C = 1.

  Args:
    key: a PRNG key, consumed.
    shape: `[T, H, W, C]`.

  Returns:
    Float32 of that shape.
  """
  return jax.random.uniform(key, shape, jnp.float32, maxval=NOISE_AMPLITUDE)


def put_clip(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  *,
  noise: Float[AnyArray, "T H W C"],
  video_flow: VideoFlow | None = None,
  strides: Sequence[int] | None = None,
) -> DeviceClip:
  """Puts a clip on the device, checked.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1], finite in the hole too.
    hole_masks: `[T, H, W, 1]`, 1 = fill, 0 = observed, or between.
    noise: `[T, H, W, C]` float, the network's input, such as from `draw_noise`.
    video_flow: from `flow.estimate_video_flow`; None for losses without flow.
    strides: distances in frames at which batches are taken, those of `video_flow` if
      it is given; None: those of `video_flow`, or 1.

  Returns:
    The clip, ready for `take_batch`.

  Raises:
    InputError: the arrays or the strides do not fit.
  """
  frames = check_frames(frames)
  hole_masks = check_hole_masks(hole_masks, frames.shape, soft=True)
  if noise.ndim != 4 or noise.shape[:3] != frames.shape[:3]:
    raise InputError(
      f"noise must be [T, H, W, C] with {frames.shape[:3]} as the frames, got"
      f" {noise.shape}"
    )
  if strides is None:
    strides = [pairs.stride for pairs in video_flow] if video_flow else [1]
  if not strides or not all(0 < t < len(frames) for t in strides):
    raise InputError(
      f"strides must be from 1 to {len(frames) - 1} for {len(frames)} frames, got"
      f" {tuple(strides)}"
    )
  if video_flow is not None:
    check_flow(video_flow, strides=strides, shape=frames.shape)
  return DeviceClip(
    noise=jnp.asarray(noise),
    frames=jnp.asarray(frames),
    hole_mask=jnp.asarray(hole_masks),
    strides=jnp.asarray(strides, jnp.int32),
    flow=None if video_flow is None else put_flow(video_flow, hole_masks),
  )


def put_flow(
  video_flow: VideoFlow, hole_masks: Float[np.ndarray, "T H W 1"]
) -> DeviceFlow:
  """Puts a clip's flow on the device, with the holes of its pairs and its scales.

  Args:
    video_flow: from `flow.estimate_video_flow`.
    hole_masks: `[T, H, W, 1]` float, 1 = hole.

  Returns:
    The flow, ready for `take_batch`.
  """
  flows, visibles, holes, scales = [], [], [], []
  for pairs in video_flow:
    t = pairs.stride
    earlier, later = hole_masks[:-t], hole_masks[t:]
    forward_hole = _pair_holes(earlier, later, pairs.forward)
    backward_hole = _pair_holes(later, earlier, pairs.backward)

    def both(forward: np.ndarray, backward: np.ndarray, t: int = t) -> np.ndarray:
      # Indexed by the source frame: i for forward pairs, i + t for backward ones.
      rest = [(0, 0)] * (forward.ndim - 1)
      return np.stack(
        [np.pad(forward, [(0, t), *rest]), np.pad(backward, [(t, 0), *rest])]
      )

    flows.append(both(pairs.forward, pairs.backward))
    visibles.append(both(pairs.forward_visible, pairs.backward_visible))
    holes.append(both(forward_hole, backward_hole))
    scales.append(flow_scale(pairs.forward, pairs.backward))
  return DeviceFlow(
    flow=jnp.asarray(np.stack(flows)),
    visible=jnp.asarray(np.stack(visibles)),
    hole=jnp.asarray(np.stack(holes)),
    scale=jnp.asarray(scales, jnp.float32),
  )


def flow_scale(*flows: Float[np.ndarray, "P H W 2"]) -> float:
  """The largest absolute component over all flows of a stride, and at least 1."""
  return max(1.0, *(float(np.abs(flow).max()) for flow in flows))


def pair_hole_mask(
  hole_mask_i: Float[AnyArray, "P H W 1"],
  hole_mask_j: Float[AnyArray, "P H W 1"],
  flow_ij: Float[AnyArray, "P H W 2"],
) -> Float[jax.Array, "P H W 1"]:
  """Where frame i, or frame j along the known flow, is in the hole.

  Args:
    hole_mask_i: `[P, H, W, 1]` float, 1 = hole.
    hole_mask_j: `[P, H, W, 1]` float.
    flow_ij: `[P, H, W, 2]` float, (dx, dy) in pixels.

  Returns:
    `[P, H, W, 1]` float: 1 where frame i is in the hole or the warped hole of
    frame j is above 0 (the paper's 1 - M^f).
  """
  warped, _ = backward_warp(hole_mask_j, flow_ij)
  return jnp.logical_or(hole_mask_i > 0, warped > 0).astype(hole_mask_i.dtype)


_pair_hole_mask = jax.jit(pair_hole_mask)


def _pair_holes(
  hole_i: np.ndarray, hole_j: np.ndarray, flow_ij: np.ndarray
) -> np.ndarray:
  pairs = zip(hole_i, hole_j, flow_ij, strict=True)
  return np.stack(
    [np.asarray(_pair_hole_mask(i[None], j[None], f[None])[0]) > 0 for i, j, f in pairs]
  )


def take_batch(
  clip: DeviceClip,
  start: Index,
  stride_index: Index,
  direction: Index,
  *,
  batch_size: int,
) -> Batch:
  """Gathers N frames and the flow of their N-1 pairs.

  All three indices may be traced, so one compilation serves every batch. Indices that
  are not are checked; traced ones outside the clip are clamped as JAX's indexing does,
  and repeat its first or last frames.

  Args:
    clip: the clip on the device.
    start: scalar int32, the batch's earliest frame.
    stride_index: scalar int32, position of its stride among the clip's strides.
    direction: scalar int32, 0 forward, 1 backward in time.
    batch_size: N.

  Returns:
    The batch, in reverse order if it runs backward in time.

  Raises:
    ValueError: an index that is not traced leads out of the clip.
  """
  _check_place(clip, start, stride_index, direction, batch_size)
  order = jnp.arange(batch_size, dtype=dtypes.canonicalize_dtype(clip.strides.dtype))
  order = jnp.where(direction == 0, order, batch_size - 1 - order)
  index = jnp.asarray(start, order.dtype) + clip.strides[stride_index] * order
  batch = Batch(
    noise=clip.noise[index], frames=clip.frames[index], hole_mask=clip.hole_mask[index]
  )
  if clip.flow is None:
    return batch
  known, source = clip.flow, index[:-1]
  scale = known.scale[stride_index]
  dtype = clip.frames.dtype
  return batch._replace(
    flow=known.flow[stride_index, direction, source] / scale,
    flow_hole=known.hole[stride_index, direction, source].astype(dtype),
    visible=known.visible[stride_index, direction, source].astype(dtype),
    flow_scale=scale,
    flow_channel=jnp.asarray(4 * stride_index + 2 * direction),
    clip_strides=clip.strides,
  )


def _check_place(
  clip: DeviceClip, start: Index, stride_index: Index, direction: Index, count: int
) -> None:
  """Checks what is known of a batch's place while tracing."""
  first, which, way = map(_known, (start, stride_index, direction))
  if which is not None and not 0 <= which < len(clip.strides):
    raise ValueError(
      f"stride_index {which}: the clip has {len(clip.strides)} strides, counted from 0"
    )
  if way not in (None, 0, 1):
    raise ValueError(f"direction {way}: must be 0 (forward) or 1 (backward)")
  stride = 1  # at least
  if which is not None and not isinstance(clip.strides, jax.core.Tracer):
    stride = int(jax.device_get(clip.strides)[which])
  last = len(clip.frames) - 1 - (count - 1) * stride
  if count < 1 or last < 0:
    raise ValueError(
      f"a clip of {len(clip.frames)} frames has no batch of {count} at stride {stride}"
    )
  if first is not None and not 0 <= first <= last:
    raise ValueError(
      f"start {first}: batches of {count} frames at stride {stride} start at frames 0"
      f" to {last} of the clip"
    )


def _known(index: Index) -> int | None:
  """An index as a number; None while it is traced."""
  return None if isinstance(index, jax.core.Tracer) else int(jax.device_get(index))
