"""Training on the whole video, visit by visit and round by round."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from dipvid_jax.errors import DivergedError
from dipvid_jax.networks.vgg import VGGParams
from dipvid_jax.training.batching import DeviceClip, take_batch
from dipvid_jax.training.schedule import Visit
from dipvid_jax.training.step import Metrics, TrainState, TrainStep, fit_batch
from dipvid_jax.training.stopping import Stopping
from dipvid_jax.types import Batch, HasStep

# Maps a state, the clip and batches to the next state and metrics, for any method.
FitVisits = Callable[..., tuple[HasStep, Metrics]]
HostMetrics = dict[str, np.ndarray]


def make_fit_visits(
  train_step: TrainStep,
  *,
  batch_size: int,
  prepare_batch: Callable[[Batch], Batch] = lambda batch: batch,
  vgg: VGGParams = (),
) -> FitVisits:
  """Compiles visits: for each, gather the batch, prepare it, scan over its updates.

  Args:
    train_step: from `make_train_step`.
    batch_size: N.
    prepare_batch: adds what all updates of a visit share, such as the known frames'
      features.
    vgg: VGG16's weights, which every batch gets; empty where no loss reads them.

  Returns:
    `fit_visits(state, clip, batches, *, inner_steps, key=None) -> (state, metrics)`:
    batches `[K, 3]` int32 are (start, stride_index, direction), visited in order;
    metrics `[K * inner_steps]` each; the key as in `fit_batch`. It is a
    `functools.partial` of the compiled function, which takes `vgg` first. The state is
    donated, `inner_steps` is static, the rest is traced: batches outside the clip
    cannot be refused, see `take_batch`.
  """

  def fit_visits(
    vgg: VGGParams,
    state: TrainState,
    clip: DeviceClip,
    batches: jax.Array,
    *,
    inner_steps: int,
    key: PRNGKeyArray | None = None,
  ) -> tuple[TrainState, Metrics]:
    def visit(state: TrainState, indices: jax.Array) -> tuple[TrainState, Metrics]:
      batch = take_batch(clip, *indices, batch_size=batch_size)
      batch = prepare_batch(batch._replace(vgg=vgg))
      return fit_batch(
        state, batch, train_step=train_step, inner_steps=inner_steps, key=key
      )

    state, metrics = jax.lax.scan(visit, state, batches)
    return state, jax.tree.map(jnp.ravel, metrics)

  compiled = jax.jit(fit_visits, donate_argnums=1, static_argnames="inner_steps")
  return functools.partial(compiled, vgg)


def fit(
  state: HasStep,
  clip: DeviceClip,
  *,
  visits: Sequence[Visit],
  fit_visits: FitVisits,
  batches_per_call: int = 1,
  on_visit: Callable[[Visit, HostMetrics, HasStep], None] | None = None,
  on_round: Callable[[Visit, HasStep], None] | None = None,
  stopping: Stopping | None = None,
) -> HasStep:
  """Trains a network on one clip.

  Args:
    state: the initial state; consumed (its buffers are donated).
    clip: the clip on the device.
    visits: from `make_schedule`, or the rest of it.
    fit_visits: from `make_fit_visits`.
    batches_per_call: how many visits run on the device before the losses are read.
    on_visit: called after each call with its last visit, the metrics of all its
      updates, `[updates]` each, and the state, which it must not keep. A run resumed
      from a copy of this state ends with the same bits.
    on_round: called after the visit that ends a round, with it and the state.
    stopping: may end the training after a call, which then also ends a round.

  Returns:
    The state after the last visit.

  Raises:
    DivergedError: a loss is not finite; `on_visit` has not seen that call.
  """
  stopping = stopping or Stopping()
  groups = list(group_visits(visits, batches_per_call))
  for number, group in enumerate(groups, start=1):
    last = group[-1]
    batches = np.array([visit[:3] for visit in group], np.int32)
    state, metrics = fit_visits(state, clip, batches, inner_steps=last.updates)
    metrics = jax.device_get(metrics)
    _check_finite(metrics, group)
    if number < len(groups):
      stopping.check_time()
    if stopping.reason:
      last = last._replace(ends_round=True)
    if on_visit:
      on_visit(last, metrics, state)
    if on_round and last.ends_round:
      on_round(last, state)
    if stopping.reason:
      break
  return state


def group_visits(visits: Sequence[Visit], size: int) -> Iterator[list[Visit]]:
  """Groups consecutive visits with the same number of updates, within a round.

  Args:
    visits: in order.
    size: the most visits in a group.

  Yields:
    The groups, in order.
  """
  group: list[Visit] = []
  for visit in visits:
    if group and (
      len(group) == size or group[-1].ends_round or group[-1].updates != visit.updates
    ):
      yield group
      group = []
    group.append(visit)
  if group:
    yield group


def _check_finite(metrics: HostMetrics, group: list[Visit]) -> None:
  broken = {
    name: int(np.flatnonzero(~np.isfinite(values))[0])
    for name, values in metrics.items()
    if not np.isfinite(values).all()
  }
  if not broken:
    return
  # The sum, "loss", breaks with its terms: prefer to name a term.
  name = min(broken, key=lambda name: (broken[name], name == "loss"))
  update = broken[name]
  visit = group[update // group[0].updates]
  raise DivergedError(
    f"the {name} loss became {metrics[name][update]} at update "
    f"{update % visit.updates + 1} of the batch that starts at frame {visit.start} "
    f"(round {visit.round + 1}); try a smaller learning_rate or another seed"
  )
