"""DIP: a network of its own for each frame, and the best of what it made on the way."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.batching import DeviceClip, take_batch
from dipvid_jax.fit import FitVisits
from dipvid_jax.step import TrainState, Update
from dipvid_jax.types import Batch, Outputs

CreateState = Callable[[jax.Array, jax.Array], TrainState]


class FrameNetworks(NamedTuple):
  """G networks in training, and the best output so far of every frame.

  Attributes:
    networks: the networks' states, each leaf `[G, ..]`.
    step: scalar int32, updates done, of all groups so far.
    image: `[T, H, W, 3]` float32 RGB, zero before a frame's first update.
    image_loss: `[T]` float32, the image loss of `image`, infinite before.
  """

  networks: TrainState
  step: jax.Array
  image: jax.Array
  image_loss: jax.Array


def create_frame_networks(
  key: jax.Array, clip: DeviceClip, *, create_state: CreateState, networks: int
) -> FrameNetworks:
  """The state before the first update of the first group.

  Args:
    key: a PRNG key, consumed.
    clip: the clip on the device.
    create_state: draws one network's state from a key for a noise batch.
    networks: G.

  Returns:
    The state; its networks are those of the frames 0 .. G-1.
  """
  return FrameNetworks(
    networks=_draw(key, clip, np.arange(networks), create_state),
    step=jnp.zeros((), jnp.int32),
    image=jnp.zeros_like(clip.frames),
    image_loss=jnp.full(len(clip.frames), jnp.inf),
  )


def _draw(key, clip, frames, create_state):
  """Each frame's network has its own branch of the key."""
  states = [
    create_state(jax.random.fold_in(key, frame), clip.noise[:1]) for frame in frames
  ]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def make_fit_frames(
  update: Update,
  *,
  key: jax.Array,
  create_state: CreateState,
  networks: int,
  frame_updates: int,
  best_of_every: int = 1,
  prepare_batch: Callable[[Batch], Batch] = lambda batch: batch,
) -> FitVisits:
  """Compiles visits to groups of frames, each frame with a network of its own.

  Args:
    update: from `make_update`, with an `image` loss.
    key: the key of `create_frame_networks`.
    create_state: draws one network's state from a key for a noise batch.
    networks: G; more than one run as one batched program.
    frame_updates: of each network, after which the next group gets fresh ones.
    best_of_every: every so many updates an output is considered for the result: 1
      as the authors' program, 100 as the paper.
    prepare_batch: as in `make_fit_visits`.

  Returns:
    `fit_visits(state, clip, batches, *, inner_steps)` to `(state, metrics)`, as
    `make_fit_visits` has it; the metrics are means over the G networks. All visits
    of a call belong to one group. There are no coarse ones: a best output has the
    frame's size.
  """
  together = jax.vmap if networks > 1 else _alone

  def fit_frame(network, best, clip, frame, inner_steps):
    batch = prepare_batch(take_batch(clip, frame, 0, 0, batch_size=1))

    def body(carry, _):
      network, (best_image, best_loss) = carry
      candidate = network.step % best_of_every == 0
      network, metrics, outputs = update(network, batch)
      better = candidate & (metrics["image"] < best_loss)
      best = (
        jnp.where(better, outputs.image[0], best_image),
        jnp.where(better, metrics["image"], best_loss),
      )
      return (network, best), metrics

    (network, best), metrics = jax.lax.scan(
      body, (network, best), None, length=inner_steps
    )
    return network, best, metrics

  def fit_group(state, clip, start, *, inner_steps):
    frames = start + jnp.arange(networks)
    best = (state.image[frames], state.image_loss[frames])
    fit = together(
      lambda network, best, frame: fit_frame(network, best, clip, frame, inner_steps)
    )
    fitted, (image, loss), metrics = fit(state.networks, best, frames)
    state = FrameNetworks(
      networks=fitted,
      step=state.step + inner_steps,
      image=state.image.at[frames].set(image),
      image_loss=state.image_loss.at[frames].set(loss),
    )
    return state, jax.tree.map(lambda x: x.mean(axis=0), metrics)

  compiled = jax.jit(fit_group, donate_argnums=0, static_argnames="inner_steps")

  def fit_visits(state, clip, batches, *, inner_steps, coarse=False):
    if coarse:
      raise ValueError("networks of single frames have no coarse updates")
    start = int(batches[0][0])
    if int(state.step) % frame_updates == 0:
      frames = start + np.arange(networks)
      state = state._replace(networks=_draw(key, clip, frames, create_state))
    return compiled(state, clip, start, inner_steps=inner_steps * len(batches))

  return fit_visits


def _alone(function):
  """`jax.vmap` for one: without the batched convolutions that it would make."""

  def mapped(*arguments):
    results = function(*jax.tree.map(lambda x: x[0], arguments))
    return jax.tree.map(lambda x: x[None], results)

  return mapped


def best_frames(state: FrameNetworks, clip: DeviceClip, on_window=None) -> Outputs:
  """The result: of each frame the output with the lowest image loss.

  Args:
    state: during or after the training.
    clip: not read; as every method's inference has it.
    on_window: called with the frames done and all frames.

  Returns:
    `Outputs` of NumPy arrays, without flow.
  """
  image = jax.device_get(state.image)
  if on_window:
    on_window(len(image), len(image))
  return Outputs(image=image, flow=image[..., :0])
