"""Inference: each frame comes from the window with the frame in its middle."""

from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Float, Int

from dipvid_jax.types import Outputs
from flow.types import AnyArray, Params

Render = Callable[..., Outputs]
OnWindow = Callable[[int, int], None]


def make_render(model: nn.Module, *, batch_size: int, flow_channels: int = 0) -> Render:
  """Compiles inference over a clip.

  Normalisation uses the batch's own statistics, so a frame depends on the others of
  its window. Windows are N consecutive frames; frame i comes from the window where
  it is in the middle, the first and last few from the nearest window.

  Args:
    model: maps noise `[N, H, W, C]` to `Outputs`.
    batch_size: N, at most the number of frames.
    flow_channels: how many of the generated flow channels to keep.

  Returns:
    `render(params, noise, on_window=None)`: from noise `[T, H, W, C]` to `Outputs` of
    NumPy arrays, image `[T, H, W, 3]` and flow `[T, H, W, flow_channels]`;
    `on_window` is called with the number of windows done and their total.
  """

  @jax.jit
  def render_window(
    params: Params, noise: Float[jax.Array, "T H W C"], start: Int[jax.Array, ""]
  ) -> Outputs:
    window = jax.lax.dynamic_slice_in_dim(noise, start, batch_size)
    outputs = cast(Outputs, model.apply({"params": params}, window))
    return outputs._replace(flow=outputs.flow[..., :flow_channels])

  def render(
    params: Params,
    noise: Float[AnyArray, "T H W C"],
    on_window: OnWindow | None = None,
  ) -> Outputs:
    kept = []
    windows = inference_windows(len(noise), batch_size=batch_size)
    for start, rows in windows:
      outputs = jax.device_get(render_window(params, noise, np.int32(start)))
      kept.append(jax.tree.map(lambda x, rows=rows: x[rows], outputs))
      if on_window:
        on_window(len(kept), len(windows))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *kept)

  return render


def inference_windows(frame_count: int, *, batch_size: int) -> list[tuple[int, slice]]:
  """The windows of inference, and the rows that each contributes to the result.

  Args:
    frame_count: T.
    batch_size: N, at most T.

  Returns:
    `(start, rows)` for each window, in order; all rows together are T frames.

  Raises:
    ValueError: the clip is shorter than a window.
  """
  if frame_count < batch_size:
    raise ValueError(f"{frame_count} frames are fewer than a window of {batch_size}")
  middle, last = batch_size // 2, frame_count - batch_size
  return [
    (
      start,
      slice(0 if start == 0 else middle, batch_size if start == last else middle + 1),
    )
    for start in range(last + 1)
  ]
