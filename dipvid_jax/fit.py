"""Training on the whole video: visit after visit, round after round."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from dipvid_jax.batching import DeviceClip, take_batch
from dipvid_jax.errors import DivergedError
from dipvid_jax.schedule import Visit
from dipvid_jax.step import TrainState, TrainStep, fit_batch
from dipvid_jax.types import Batch

FitVisit = Callable[..., tuple[TrainState, dict[str, jax.Array]]]


def make_fit_visit(
  train_step: TrainStep,
  *,
  batch_size: int,
  prepare_batch: Callable[[Batch], Batch] = lambda batch: batch,
) -> FitVisit:
  """Compiles one visit: gather the batch, prepare it, scan over its updates.

  Args:
    train_step: from `make_train_step`.
    batch_size: N.
    prepare_batch: what is computed once for all updates of a visit, such as the
      known frames' features.

  Returns:
    `fit_visit(state, clip, start, stride_index, direction, *, inner_steps)` to
    `(state, metrics)`; the state is donated, `inner_steps` is static, everything
    else is traced.
  """

  def fit_visit(state, clip, start, stride_index, direction, *, inner_steps):
    batch = take_batch(clip, start, stride_index, direction, batch_size=batch_size)
    return fit_batch(
      state, prepare_batch(batch), train_step=train_step, inner_steps=inner_steps
    )

  return jax.jit(fit_visit, donate_argnums=0, static_argnames="inner_steps")


def fit(
  state: TrainState,
  clip: DeviceClip,
  *,
  visits: Sequence[Visit],
  fit_visit: FitVisit,
  on_visit: Callable[[Visit, dict[str, np.ndarray]], None] | None = None,
  on_round: Callable[[Visit, TrainState], None] | None = None,
) -> TrainState:
  """Trains a network on one clip.

  Args:
    state: the state before; consumed (its buffers are donated).
    clip: the clip on the device.
    visits: from `make_schedule`, or what is left of it.
    fit_visit: from `make_fit_visit`.
    on_visit: called after each visit with its metrics, `[updates]` each.
    on_round: called with the visit that ends a round and the state; it must not
      keep the state.

  Returns:
    The state after the last visit.

  Raises:
    DivergedError: a loss is not finite; `on_visit` has not seen that visit.
  """
  for visit in visits:
    indices = (visit.start, visit.stride_index, visit.direction)
    state, metrics = fit_visit(
      state, clip, *(np.int32(index) for index in indices), inner_steps=visit.updates
    )
    metrics = jax.device_get(metrics)
    _check_finite(metrics, visit)
    if on_visit:
      on_visit(visit, metrics)
    if on_round and visit.ends_round:
      on_round(visit, state)
  return state


def _check_finite(metrics, visit):
  broken = {
    name: int(np.flatnonzero(~np.isfinite(values))[0])
    for name, values in metrics.items()
    if not np.isfinite(values).all()
  }
  if not broken:
    return
  # The sum, named "loss", breaks with its terms: they come first.
  name = min(broken, key=lambda name: (broken[name], name == "loss"))
  update = broken[name]
  raise DivergedError(
    f"the {name} loss became {metrics[name][update]} at update {update + 1} of the "
    f"batch that starts at frame {visit.start} (round {visit.round + 1}); try a "
    f"smaller learning_rate or another seed"
  )
