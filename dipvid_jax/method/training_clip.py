"""A clip as training sees it, and the result composed from it."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.method.config import Config
from dipvid_jax.method.network_frames import NetworkFrames, network_frames
from dipvid_jax.method.program import NOISE_KEY, clip_strides
from dipvid_jax.metrics import psnr
from dipvid_jax.propagation.guess import Guess, guess_steps, make_guess
from dipvid_jax.propagation.mixing import improves_everywhere, learn_mixture, mix
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
    full: `[T, H, W, 3]` float32 RGB in [0, 1], the network's frames everywhere,
      brought to the clip's size; where no network was needed, `stitched`.
    stitched: `[T, H, W, 3]` float32, the input outside the hole, `full` inside; with
      `carry` the carried pixels inside as far as they are trusted, `full` for the rest.
    flow: `[T, H, W, 2]` float32, generated forward flow at the first stride, pixels;
      None where the network makes none.
    share: `[T, H, W, 1]` float32 in [0, 1], how much of `full` is in `stitched`.
    carried_share: `[T, H, W, 1]` float32 in [0, 1], how much of `guess.carried.frames`
      is in it; None without `carry`.
    guess: what the clip itself shows of its hole; None without `carry`.
    holdout_psnr: decibels on known pixels that no loss saw: of `full` where pixels were
      held out; else, with `carry`, of the result under copies of the hole; else None.
  """

  full: np.ndarray
  stitched: np.ndarray
  flow: np.ndarray | None
  share: np.ndarray
  holdout_psnr: float | None = None
  carried_share: np.ndarray | None = None
  guess: Guess | None = None


class TrainingClip(NamedTuple):
  """A clip prepared for training.

  Attributes:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1], the input.
    holdout: `[T, H, W, 1]` float32, 1 = known, and yet hole to the training.
    shown: `[T, H, W, 3]` float32, the input with what is held out filled.
    hidden: `[T, H, W, 1]` float32, 1 = hole or held out.
    guess: what the clip itself says of the hidden; None without `carry`.
    network: how the network sees these frames.
    device: what the updates read, at the network's size.
  """

  frames: np.ndarray
  holdout: np.ndarray
  shown: np.ndarray
  hidden: np.ndarray
  guess: Guess | None
  network: NetworkFrames
  device: DeviceClip

  def compose(self, outputs: Outputs | None) -> Inpainted:
    """Puts the network's frames into the hole.

    Args:
      outputs: of the whole clip, as `Program.render` gives them; None: no network was
        trained, and the guess is the result.

    Returns:
      The result, exactly the input outside the hole.

    Raises:
      ValueError: neither a network nor a guess.
    """
    if outputs is None:
      return self._compose_guess()
    image = self.network.enlarge(np.asarray(outputs.image)).clip(0, 1)
    flow = None
    if self.device.flow is not None:
      scale = float(self.device.flow.scale[0])
      flow = self.network.enlarge_flow(np.asarray(outputs.flow) * scale)
    under_copies = None
    if self.guess is None:
      stitched = np.where(self.hidden > 0, image, self.shown)
      share = self.hidden
    else:
      stitched, share, under_copies = _mix_with_network(image, self.frames, self.guess)
    held_out = holdout_psnr(image, self.frames, self.holdout)
    kept = self.holdout > 0
    return Inpainted(
      full=image,
      stitched=np.where(kept, self.frames, stitched),
      flow=flow,
      share=np.where(kept, 0, share),
      holdout_psnr=under_copies if held_out is None else held_out,
      carried_share=self._carried_share(share),
      guess=self.guess,
    )

  def _compose_guess(self) -> Inpainted:
    if self.guess is None:
      raise ValueError("nothing was carried and no network trained")
    frames = np.where(self.holdout > 0, self.frames, self.guess.frames)
    proof = self.guess.proof
    truth = self.frames[tuple(proof.where.T)]
    nothing = np.zeros_like(self.hidden)
    return Inpainted(
      full=frames,
      stitched=frames,
      flow=None,
      share=nothing,
      holdout_psnr=float(psnr(proof.colours, truth)) if len(truth) else None,
      carried_share=self._carried_share(nothing),
      guess=self.guess,
    )

  def _carried_share(self, share: np.ndarray) -> np.ndarray | None:
    """What the network leaves of the carried pixels' weight in the guess."""
    if self.guess is None:
      return None
    return self.guess.carried_share * (1 - share)


def _mix_with_network(
  image: np.ndarray, frames: np.ndarray, guess: Guess
) -> tuple[np.ndarray, np.ndarray, float | None]:
  """The guess and the network's frames, mixed as is best under copies of the hole.

  The network has learnt there what it has learnt in the hole: carried pixels. It gets
  no weight unless it helps under every copy.

  Args:
    image: `[T, H, W, 3]`, the network's frames.
    frames: `[T, H, W, 3]`, the input, known under the copies.
    guess: of the hole.

  Returns:
    `[T, H, W, 3]` the result; `[T, H, W, 1]` the network's weight in it; the result's
    PSNR under the copies in decibels, None without any.
  """
  proof, hole = guess.proof, guess.hole
  under, inside = tuple(proof.where.T), tuple(hole.where.T)
  layers, truth = np.stack([proof.colours, image[under]]), frames[under]
  half = proof.where[:, 0] < len(frames) / 2
  stitched, share = guess.frames.copy(), np.zeros((*image.shape[:3], 1), np.float32)
  shown = proof.colours
  if improves_everywhere(proof.score, layers, truth, 2 * proof.place + half):
    mixture = learn_mixture(proof.score, layers, truth)
    weights, shown = mixture(hole.score), mix(mixture(proof.score), layers)
    stitched[inside] = mix(weights, np.stack([hole.colours, image[inside]]))
    share[(*inside, 0)] = weights[1]
  return stitched, share, float(psnr(shown, truth)) if len(truth) else None


def make_training_clip(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  video_flow: VideoFlow,
  *,
  config: Config,
  on_carry: Callable[[int, int], None] = lambda done, total: None,
) -> TrainingClip:
  """Holds pixels out, guesses the hole, makes the network's input; all on the device.

  Args:
    frames: `[T, H, W, 3]` float32 RGB in [0, 1]; with `hide_hole` the hole filled.
    hole_masks: `[T, H, W, 1]` float32, 1 = hole.
    video_flow: known flow at `flow_strides(T, config=config)`.
    config: the run's settings; the seed decides the noise, what is held out, and where
      the copies of the hole lie that the guess is measured on.
    on_carry: called with the steps of the guess that are done, and all.

  Returns:
    The clip.
  """
  propagation = config.propagation
  holdout = draw_holdout(
    hole_masks, fraction=config.stopping.holdout_fraction, seed=config.seed
  )
  hidden = np.maximum(hole_masks, holdout)
  shown = hide_held_out(frames, hole_masks, holdout, fill_hole=propagation.hide_hole)
  network = network_frames(frames.shape[1:3], config=config)
  guess = None
  if propagation.carry:
    generator = np.random.default_rng(config.seed)
    pairs = neighbour_flow(video_flow)
    steps = itertools.count(1)
    guess = make_guess(
      shown,
      hole_masks,
      pairs,
      generator=generator,
      also_hidden=holdout,
      on_progress=lambda _: on_carry(next(steps), guess_steps(len(frames))),
    )
  # Held-out pixels are never learnt, not even where a pixel was carried to them.
  soft_hole = np.maximum(1 - guess.trust, holdout) if guess else hidden
  known_flow = None
  if config.losses.generates_flow:
    smaller = tuple(network.reduce_flow(pairs) for pairs in video_flow)
    known_flow = put_flow(smaller, np.ceil(network.reduce(hidden)))
  device = DeviceClip(
    noise=_network_input(hole_masks, video_flow, config, guess=guess, network=network),
    frames=jnp.asarray(network.reduce(guess.target if guess else shown)),
    hole_mask=jnp.asarray(network.reduce(soft_hole)),
    strides=jnp.asarray(clip_strides(len(frames), config=config), jnp.int32),
    flow=known_flow,
  )
  return TrainingClip(frames, holdout, shown, hidden, guess, network, device)


def _network_input(
  hole_masks: np.ndarray,
  video_flow: VideoFlow,
  config: Config,
  *,
  guess: Guess | None,
  network: NetworkFrames,
) -> jax.Array:
  key = jax.random.fold_in(jax.random.key(config.seed), NOISE_KEY)
  channels = config.network.noise_channels
  if config.network.network_input == "noise":
    return draw_noise(key, (len(hole_masks), *network.placement.size, channels))
  known = neighbour_flow(video_flow)
  if guess is None:
    (completed,) = complete_video_flow((known,), hole_masks)
  else:
    completed = guess.carried.pairs
  neighbours, scenes = network.reduce_flow(completed), find_scenes(known)
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
