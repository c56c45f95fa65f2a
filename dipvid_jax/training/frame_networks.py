"""DIP: one network per frame, and the best of its outputs during training."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.networks.vgg import VGGParams
from dipvid_jax.training.batching import DeviceClip, take_batch
from dipvid_jax.training.fit import FitVisits
from dipvid_jax.training.initial_state import CreateState
from dipvid_jax.training.step import Metrics, TrainState, Update
from dipvid_jax.types import Batch, Outputs

# Not `.at[].set`, which is a scatter.
_put = functools.partial(jax.lax.dynamic_update_index_in_dim, axis=0)
_Carry = tuple[TrainState, tuple[jax.Array, jax.Array]]  # network; best image and loss


class FrameNetworks(NamedTuple):
  """The network in training, and each frame's best output so far.

  Attributes:
    network: the state of the current frame's network.
    step: scalar int32, updates of all networks so far.
    image: `[T, H, W, 3]` float32 RGB, zero before a frame's first update.
    image_loss: `[T]` float32, the image loss of `image`, infinite before.
  """

  network: TrainState
  step: jax.Array
  image: jax.Array
  image_loss: jax.Array


def create_frame_networks(
  key: jax.Array, clip: DeviceClip, *, create_state: CreateState
) -> FrameNetworks:
  """The state before the first update of the first frame's network.

  Args:
    key: a PRNG key, consumed.
    clip: the clip on the device.
    create_state: draws a network's state from a key and a noise batch.

  Returns:
    The state, with the network of frame 0.
  """
  return FrameNetworks(
    network=_draw(key, clip, 0, create_state),
    step=jnp.zeros((), jnp.int32),
    image=jnp.zeros_like(clip.frames),
    image_loss=jnp.full(len(clip.frames), jnp.inf, clip.frames.dtype),
  )


def _draw(
  key: jax.Array, clip: DeviceClip, frame: int, create_state: CreateState
) -> TrainState:
  """Each frame's network has its own branch of the key."""
  return create_state(jax.random.fold_in(key, frame), clip.noise[:1])


def make_fit_frames(
  update: Update,
  *,
  key: jax.Array,
  create_state: CreateState,
  frame_updates: int,
  best_of_every: int = 1,
  prepare_batch: Callable[[Batch], Batch] = lambda batch: batch,
  vgg: VGGParams = (),
) -> FitVisits:
  """Compiles visits to single frames, each with its own network.

  Args:
    update: from `make_update`, with an `image` loss.
    key: the key of `create_frame_networks`.
    create_state: draws a network's state from a key and a noise batch.
    frame_updates: updates of each network; the next frame gets a fresh one.
    best_of_every: updates from one candidate for the result to the next: 1 in the
      authors' program, 100 in the paper.
    prepare_batch, vgg: as in `make_fit_visits`.

  Returns:
    `fit_visits(state, clip, batches, *, inner_steps) -> (state, metrics)`, as from
    `make_fit_visits`; a `functools.partial` that takes the one of the compiled
    function first. All visits of a call belong to one frame.
  """

  def fit_frame(
    vgg: VGGParams,
    state: FrameNetworks,
    clip: DeviceClip,
    frame: jax.Array,
    *,
    inner_steps: int,
  ) -> tuple[FrameNetworks, Metrics]:
    batch = take_batch(clip, frame, 0, 0, batch_size=1)
    batch = prepare_batch(batch._replace(vgg=vgg))

    def body(carry: _Carry, _: None) -> tuple[_Carry, Metrics]:
      network, (best_image, best_loss) = carry
      candidate = network.step % best_of_every == 0
      network, metrics, outputs = update(network, batch)
      better = candidate & (metrics["image"] < best_loss)
      best = (
        jnp.where(better, outputs.image[0], best_image),
        jnp.where(better, metrics["image"], best_loss),
      )
      return (network, best), metrics

    best = (state.image[frame], state.image_loss[frame])
    (network, (image, loss)), metrics = jax.lax.scan(
      body, (state.network, best), None, length=inner_steps
    )
    state = FrameNetworks(
      network=network,
      step=state.step + inner_steps,
      image=_put(state.image, image, frame),
      image_loss=_put(state.image_loss, loss, frame),
    )
    return state, metrics

  compiled = jax.jit(fit_frame, donate_argnums=1, static_argnames="inner_steps")

  def fit_visits(
    compiled: Callable[..., tuple[FrameNetworks, Metrics]],
    state: FrameNetworks,
    clip: DeviceClip,
    batches: np.ndarray,
    *,
    inner_steps: int,
  ) -> tuple[FrameNetworks, Metrics]:
    frame = int(batches[0][0])
    if int(state.step) % frame_updates == 0:
      state = state._replace(network=_draw(key, clip, frame, create_state))
    return compiled(state, clip, frame, inner_steps=inner_steps * len(batches))

  return functools.partial(fit_visits, functools.partial(compiled, vgg))


def best_frames(
  state: FrameNetworks,
  clip: DeviceClip,
  on_window: Callable[[int, int], None] | None = None,
) -> Outputs:
  """The result: the output with the lowest image loss for each frame.

  Args:
    state: during or after the training.
    clip: not used; inference takes it for every method.
    on_window: called with the number of frames done and their total.

  Returns:
    `Outputs` of NumPy arrays, without flow.
  """
  image = jax.device_get(state.image)
  if on_window:
    on_window(len(image), len(image))
  return Outputs(image=image, flow=image[..., :0])
