"""How far an estimator is from exact flow, on pairs that nothing is trained on."""

from collections.abc import Callable

import jax
import numpy as np

from flow.flo_files import end_point_error
from flow.procedural import FlowPair

# Training keys come from the run's seed; these pairs are the same for every run.
_SEED = 2**31 - 1


def evaluation_pairs(
  draw: Callable[..., FlowPair], *, family: str, count: int
) -> FlowPair:
  """Draws the pairs of an evaluation, the same at every call.

  Args:
    draw: `draw_batch` with all settings but `batch_size` and `family`.
    family: of the textures; `held_out` is never trained on.
    count: N.

  Returns:
    The pairs, each field a NumPy array with N in front.
  """

  def draw_one(key):
    return draw(key, batch_size=1, family=family)

  # One after another: the pairs of an evaluation need not fit the device at once.
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
    estimate: maps `[B, H, W, 3]` twice to `[B, H, W, 2]`; an `Estimator` will do.
    pairs: from `evaluation_pairs`.
    batch_size: pairs in one call.

  Returns:
    Mean end-point errors in pixels: `all` pixels, and those that stay `visible`.
  """
  first, second, truth, visible = (np.asarray(field) for field in pairs)
  flows = np.concatenate(
    [
      estimate(first[i : i + batch_size], second[i : i + batch_size])
      for i in range(0, len(truth), batch_size)
    ]
  )
  # end_point_error leaves out what is not finite.
  seen = np.where(visible > 0, truth, np.float32(np.inf))
  return {
    "all": end_point_error(flows, truth),
    "visible": end_point_error(flows, seen),
  }
