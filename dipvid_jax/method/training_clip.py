"""A clip as training sees it, and the result composed from it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.method.config import Config
from dipvid_jax.method.program import NOISE_KEY, clip_strides
from dipvid_jax.propagation.guess import Guess, make_guess, network_share
from dipvid_jax.training.batching import DeviceClip, draw_noise, put_flow
from dipvid_jax.training.holdout import draw_holdout, hide_held_out, holdout_psnr
from dipvid_jax.training.network_input import moving_noise, scene_coordinates
from dipvid_jax.types import Outputs
from flow import (
  VideoFlow,
  complete_video_flow,
  find_scenes,
  neighbour_flow,
  scene_flow,
)


class Inpainted(NamedTuple):
  """The result of a run, or of a round.

  Attributes:
    full: `[T, H, W, 3]` float32 RGB in (0, 1), the network's frames everywhere.
    stitched: `[T, H, W, 3]` float32, the input outside the hole, `full` inside; with
      `carry` the carried pixels inside as far as they are trusted, `full` for the rest.
    flow: `[T, H, W, 2]` float32, generated forward flow at the first stride, pixels;
      None where the network makes none.
    share: `[T, H, W, 1]` float32 in [0, 1], how much of `full` is in `stitched`.
    holdout_psnr: of `full` on known pixels that no loss saw, decibels; None where
      none was held out.
  """

  full: np.ndarray
  stitched: np.ndarray
  flow: np.ndarray | None
  share: np.ndarray
  holdout_psnr: float | None = None


class TrainingClip(NamedTuple):
  """A clip prepared for training.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1], the input.
    holdout: `[T, H, W, 1]` float32, 1 = known, and yet hole to the training.
    shown: `[T, H, W, 3]` float32, the input with what is held out filled.
    hidden: `[T, H, W, 1]` float32, 1 = hole or held out.
    guess: what the clip itself says of the hidden; None without `carry`.
    device: what the updates read.
  """

  frames: np.ndarray
  holdout: np.ndarray
  shown: np.ndarray
  hidden: np.ndarray
  guess: Guess | None
  device: DeviceClip

  def compose(self, outputs: Outputs) -> Inpainted:
    """Puts the network's frames into the hole.

    Args:
      outputs: of the whole clip, as `Program.render` gives them.

    Returns:
      The result, exactly the input outside the hole.
    """
    image, flow = np.asarray(outputs.image), np.asarray(outputs.flow)
    if self.guess is None:
      share, rest = self.hidden, self.shown
    else:
      unseen = self._unseen(image)
      share = network_share(image, self.frames, self.guess, unseen=unseen)
      rest = self.guess.frames
    share = np.where(self.holdout > 0, 0, share)
    rest = np.where(self.holdout > 0, self.frames, rest)
    known_flow = self.device.flow
    return Inpainted(
      full=image,
      stitched=share * image + (1 - share) * rest,
      flow=flow * float(known_flow.scale[0]) if known_flow else None,
      share=share,
      holdout_psnr=holdout_psnr(image, self.frames, self.holdout),
    )

  def _unseen(self, image: np.ndarray) -> float:
    """How many times larger the network's error is where it has learnt nothing."""
    error = np.square(image - self.frames).mean(axis=-1, keepdims=True)
    learnt, unseen = self.hidden == 0, self.holdout > 0
    if not (learnt.any() and unseen.any()):
      return 1.0
    return max(1.0, float(error[unseen].mean() / max(error[learnt].mean(), 1e-12)))


def make_training_clip(
  frames: np.ndarray, hole_masks: np.ndarray, video_flow: VideoFlow, *, config: Config
) -> TrainingClip:
  """Holds pixels out, guesses the hole, makes the network's input; all on the device.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]; with `hide_hole` the hole filled.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    video_flow: known flow at `flow_strides(T, config=config)`.
    config: the run's settings; the seed decides the noise, what is held out, and where
      the copies of the hole lie that the guess is measured on.

  Returns:
    The clip.
  """
  propagation = config.propagation
  holdout = draw_holdout(
    hole_masks, fraction=config.stopping.holdout_fraction, seed=config.seed
  )
  hidden = np.maximum(hole_masks, holdout)
  shown = hide_held_out(frames, hole_masks, holdout, fill_hole=propagation.hide_hole)
  guess = None
  if propagation.carry:
    generator = np.random.default_rng(config.seed)
    guess = make_guess(shown, hidden, neighbour_flow(video_flow), generator=generator)
  # Held-out pixels are never learnt, not even where a pixel was carried to them.
  soft_hole = np.maximum(1 - guess.trust, holdout) if guess else hidden
  device = DeviceClip(
    noise=_network_input(hole_masks, video_flow, config),
    frames=jnp.asarray(guess.carried if guess else shown),
    hole_mask=jnp.asarray(soft_hole),
    strides=jnp.asarray(clip_strides(len(frames), config=config), jnp.int32),
    flow=put_flow(video_flow, hidden) if config.losses.generates_flow else None,
  )
  return TrainingClip(frames, holdout, shown, hidden, guess, device)


def _network_input(
  hole_masks: np.ndarray, video_flow: VideoFlow, config: Config
) -> jax.Array:
  key = jax.random.fold_in(jax.random.key(config.seed), NOISE_KEY)
  channels = config.network.noise_channels
  if config.network.network_input == "noise":
    return draw_noise(key, (*hole_masks.shape[:3], channels))
  (neighbours,) = complete_video_flow((neighbour_flow(video_flow),), hole_masks)
  scenes = find_scenes(neighbours)
  return jnp.concatenate(
    [
      moving_noise(
        scene_key,
        scene_coordinates(scene_flow(neighbours, scene)),
        channels=channels,
      )
      for scene_key, scene in zip(
        jax.random.split(key, len(scenes)), scenes, strict=True
      )
    ]
  )
