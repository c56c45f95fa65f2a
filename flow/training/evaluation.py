"""The error of an estimator on pairs that are never trained on."""

from collections.abc import Callable

import jax
import numpy as np

from flow.flo_files import end_point_error
from flow.procedural import FlowPair

# Training keys come from the run's seed; evaluation pairs are the same in every run.
_SEED = 2**31 - 1


def evaluation_pairs(
  draw: Callable[..., FlowPair], *, family: str, count: int
) -> FlowPair:
  """Draws the pairs of an evaluation; every call draws the same ones.

  Args:
    draw: `draw_batch` with all settings but `batch_size` and `family`.
    family: of textures; `held_out` is never trained on.
    count: N.

  Returns:
    The pairs; each field is a NumPy array with a leading axis N.
  """

  def draw_one(key: jax.Array) -> FlowPair:
    return draw(key, batch_size=1, family=family)

  # One at a time: the pairs of an evaluation need not fit the device together.
  keys = jax.random.split(jax.random.key(_SEED), count)
  pairs = jax.jit(lambda keys: jax.lax.map(draw_one, keys))(keys)
  return jax.tree.map(lambda array: np.asarray(array)[:, 0], pairs)


def evaluate_flow(
  estimate: Callable[[np.ndarray, np.ndarray], np.ndarray],
  pairs: FlowPair,
  *,
  batch_size: int = 8,
) -> dict[str, float]:
  """Compares estimated with exact flow.

  Args:
    estimate: maps two `[B, H, W, 3]` to `[B, H, W, 2]`, for example an `Estimator`.
    pairs: from `evaluation_pairs`.
    batch_size: pairs per call.

  Returns:
    Mean end-point errors in pixels: of `all` pixels, and of the `visible` ones.
  """
  first, second, truth, visible = (np.asarray(field) for field in pairs)
  flows = np.concatenate(
    [
      estimate(first[i : i + batch_size], second[i : i + batch_size])
      for i in range(0, len(truth), batch_size)
    ]
  )
  # end_point_error ignores pixels that are not finite.
  seen = np.where(visible > 0, truth, np.float32(np.inf))
  return {
    "all": end_point_error(flows, truth),
    "visible": end_point_error(flows, seen),
  }
