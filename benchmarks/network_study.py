"""Ways to train the network on what the clip shows of its hole, at equal time.

  python -m benchmarks.network_study --bmx BMX_TREES --seconds 20 --rows rows.jsonl

Pixels are carried at twice the network's size, 192 x 384. Each way then trains for as
many updates as `seconds` of all cores together allow, by its own time for an update on
this machine, which is measured first and kept in the rows' file. *Full* trains on whole
frames. A *crop* of half the frame each way follows the hole, and another one of its
copies, at the network's size or at twice it. A row holds the hole PSNR of the network's
frames and of the mixture with them, with and without the rule that the network must
help under every copy; *alone* is of the hole's pixels that nothing was carried to.
"""

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.composed_clips import CLIPS, compose
from benchmarks.kept_rows import KeptRows
from dipvid_jax.jax_setup import set_up_command
from dipvid_jax.media.placement import Box, size_suits
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import NOISE_KEY, build_program
from dipvid_jax.method.recipes import load_config
from dipvid_jax.metrics import psnr
from dipvid_jax.propagation.guess import Guess, make_guess
from dipvid_jax.propagation.mixing import improves_everywhere, learn_mixture, mix
from dipvid_jax.propagation.telea import telea
from dipvid_jax.training.batching import DeviceClip
from dipvid_jax.training.fit import fit
from dipvid_jax.training.network_input import moving_noise, scene_coordinates
from flow import estimate_video_flow, find_scenes, scene_flow

_CLIPS = ("bikes1", "bikes3", "bikes5", "bunny0", "bmx")
_SIZE = (192, 384)  # of the clips
_CALL = 4  # updates in a call; one is timed


class Way(NamedTuple):
  """A way to train.

  Attributes:
    region: `full`, `crop` at the network's size, or `crop2` at twice it.
    all_frames: each batch holds all frames; else 5.
    fewer_levels: one level less than the deepest network that suits the size.
    keys: of the config, other than those of `fast.py`.
  """

  region: str = "full"
  all_frames: bool = False
  fewer_levels: bool = False
  keys: tuple[tuple[str, Any], ...] = ()


WAYS = {
  "full": Way(),
  "full, constant rate": Way(keys=(("learning_rate_schedule", "constant"),)),
  "full, rate 0.003": Way(keys=(("learning_rate", 0.003),)),
  "full, a level less": Way(fewer_levels=True),
  "full, all frames": Way(all_frames=True),
  "crop": Way("crop"),
  "crop, a level less": Way("crop", fewer_levels=True),
  "crop, all frames": Way("crop", all_frames=True),
  "crop at twice": Way("crop2"),
}


class Regions(NamedTuple):
  """What the network sees, cut from the clip: N boxes of the same size.

  Attributes:
    numbers: `[N]`, the frame of each box.
    boxes: in pixels of the clip.
    halved: the network sees half the clip's size.
  """

  numbers: np.ndarray
  boxes: list[Box]
  halved: bool

  def cut(self, images: np.ndarray) -> np.ndarray:
    """`[T, H, W, C]` to `[N, h, w, C]`."""
    pairs = zip(self.numbers, self.boxes, strict=True)
    parts = [images[t][box.slices] for t, box in pairs]
    if self.halved:
      size = (self.boxes[0].width // 2, self.boxes[0].height // 2)
      parts = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in parts]
    return np.stack(parts).reshape(len(parts), *parts[0].shape[:2], -1)

  def paste(self, images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`[N, h, w, 3]` back into frames, 0 elsewhere; the first box on top."""
    frames = np.zeros(shape, np.float32)
    for t, box, image in reversed(
      [*zip(self.numbers, self.boxes, images, strict=True)]
    ):
      if self.halved:
        image = cv2.resize(image, (box.width, box.height))
      frames[t][box.slices] = image
    return frames


def choose_regions(region: str, hole: np.ndarray, copy: np.ndarray) -> Regions:
  """The boxes of a way: of whole frames, or around the hole and around a copy.

  Args:
    region: see `Way`.
    hole: `[T, H, W]` bool.
    copy: `[T, H, W]` bool, one copy of the hole.
  """
  count, height, width = hole.shape
  numbers = np.arange(count)
  if region == "full":
    return Regions(numbers, [Box(0, 0, height, width)] * count, True)
  boxes = [*_follow(hole), *_follow(copy)]
  return Regions(np.tile(numbers, 2), boxes, region == "crop")


def _follow(hole: np.ndarray) -> list[Box]:
  """A box of half the frame each way whose middle follows the hole's, smoothly."""
  count, height, width = hole.shape
  middles = np.full((count, 2), np.nan)
  for t, mask in enumerate(hole):
    if mask.any():
      middles[t] = np.argwhere(mask).mean(axis=0)
  known = np.flatnonzero(~np.isnan(middles[:, 0]))
  steps = np.arange(count)
  middles = np.stack([np.interp(steps, known, middles[known, k]) for k in (0, 1)], -1)
  middles = cv2.GaussianBlur(middles, (1, 0), 0.1, sigmaY=3)
  corners = np.rint(middles - [height / 4, width / 4]).astype(int)
  corners = corners.clip(0, [height - height // 2, width - width // 2])
  return [Box(int(y), int(x), height // 2, width // 2) for y, x in corners]


class Shown(NamedTuple):
  """A composed clip with its guess, which all ways share."""

  truth: np.ndarray
  hole: np.ndarray
  filled: np.ndarray
  guess: Guess
  noise: np.ndarray


def prepare(name: str, *, bmx: Path, frame_count: int, seed: int) -> Shown:
  """Guesses a clip's hole, and draws the network's moving input."""
  frames, hole = compose(name, bmx=bmx, frame_count=frame_count, size=_SIZE)
  truth = frames.astype(np.float32) / 255
  masks = hole[..., None].astype(np.float32)
  filled = telea(truth, masks)
  (pairs,) = estimate_video_flow(filled, strides=(1,))
  guess = make_guess(filled, masks, pairs, generator=np.random.default_rng(seed))
  key = jax.random.fold_in(jax.random.key(seed), NOISE_KEY)
  scenes = find_scenes(pairs)
  keys = jax.random.split(key, len(scenes))
  noise = [
    moving_noise(
      k, scene_coordinates(scene_flow(guess.carried.pairs, scene)), channels=8
    )
    for k, scene in zip(keys, scenes, strict=True)
  ]
  return Shown(truth, hole, filled, guess, np.asarray(jnp.concatenate(noise)))


def train(
  way: Way, shown: Shown, *, updates: int, seed: int
) -> tuple[np.ndarray, float]:
  """The network's frames `[T, H, W, 3]`, and the seconds of all cores in its training.

  The program is compiled before, and its time not counted.
  """
  copy = np.zeros(shown.hole.shape, bool)
  copy[tuple(shown.guess.proof.where[shown.guess.proof.place == 1].T)] = True
  regions = choose_regions(way.region, shown.hole, copy)
  clip = DeviceClip(
    noise=jnp.asarray(regions.cut(shown.noise)),
    frames=jnp.asarray(regions.cut(shown.guess.target)),
    hole_mask=jnp.asarray(regions.cut(1 - shown.guess.trust)),
    strides=jnp.ones(1, jnp.int32),
  )
  config = _config(way, clip.frames.shape, updates=updates, seed=seed)
  program = build_program(len(clip.frames), config=config)
  calls = {"visits": program.visits, "fit_visits": program.fit_visits}

  def run(calls: dict[str, Any]) -> Any:
    return fit(program.start(clip), clip, batches_per_call=_CALL, **calls)

  run(calls | {"visits": program.visits[:_CALL]})
  began = time.process_time()
  state = run(calls)
  seconds = time.process_time() - began
  image = np.asarray(program.render(state, clip).image)
  return regions.paste(image, shown.truth.shape).clip(0, 1), seconds


def _config(way: Way, shape: tuple[int, ...], *, updates: int, seed: int) -> Config:
  count, size = shape[0], (shape[1], shape[2])
  levels = max(n for n in range(1, 7) if size_suits(size, n)) - way.fewer_levels
  return load_config(
    "fast",
    seed=seed,
    batch_size=count if way.all_frames else 5,
    max_updates=updates,
    batches_per_round=updates,
    levels=levels,
    **dict(way.keys),
  )


def judge(image: np.ndarray, shown: Shown, *, cropped: bool) -> dict[str, float]:
  """PSNR of the network's frames and of the mixtures with them, in dB."""
  guess = shown.guess
  proof, hole = guess.proof, guess.hole
  if cropped:  # the network has seen one copy alone
    seen = proof.place == 1
    parts = (proof.where, proof.layers, proof.score, proof.weights, proof.place)
    cut = [x[:, seen] if k in (1, 3) else x[seen] for k, x in enumerate(parts)]
    proof = type(proof)(*cut)
  under, inside = tuple(proof.where.T), tuple(hole.where.T)
  layers, truth = np.stack([proof.colours, image[under]]), shown.truth[under]
  half = proof.where[:, 0] < len(image) / 2
  helps = improves_everywhere(proof.score, layers, truth, 2 * proof.place + half)
  weights = learn_mixture(proof.score, layers, truth)(hole.score)
  mixed = mix(weights, np.stack([hole.colours, image[inside]]))
  wanted = shown.truth[inside]
  fills = {"guess": hole.colours, "network": image[inside], "mixed": mixed}
  fills["result"] = mixed if helps else hole.colours
  row = {key: round(float(psnr(fill, wanted)), 2) for key, fill in fills.items()}
  alone = np.isinf(hole.score)
  row["alone_share"] = round(float(alone.mean()), 4)
  if alone.any():
    for key in ("guess", "network"):
      at = float(psnr(fills[key][alone], wanted[alone]))
      row[f"{key}_alone"] = round(at, 2)
  return row | {"share": round(float(weights[1].mean()), 3), "helps": bool(helps)}


def main() -> None:
  """Measures the missing rows and prints them."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--bmx", type=Path, required=True, help="folder of bmx-trees")
  parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(_CLIPS))
  parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
  parser.add_argument("--frames", type=int, default=20)
  parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
  parser.add_argument("--seconds", type=float, default=20, help="of all cores")
  parser.add_argument("--rows", type=Path, required=True, help="file of rows, extended")
  arguments = parser.parse_args()
  set_up_command()
  rows = KeptRows(arguments.rows)

  for name in arguments.clips:
    for seed in arguments.seeds:
      key = {"clip": name, "frames": arguments.frames, "seed": seed}
      key |= {"seconds": arguments.seconds}
      left = [w for w in arguments.ways if not rows.find(key | {"way": w})]
      if not left:
        continue
      shown = prepare(name, bmx=arguments.bmx, frame_count=arguments.frames, seed=seed)
      for title in left:
        way = WAYS[title]
        timed = {"timed": title, "frames": arguments.frames}
        if not rows.find(timed):
          _, seconds = train(way, shown, updates=_CALL, seed=seed)
          rows.add(timed | {"seconds_an_update": round(seconds / _CALL, 3)})
        speed = rows.find(timed)[0]["seconds_an_update"]
        calls = max(1, round(arguments.seconds / speed / _CALL))
        updates = calls * _CALL
        image, took = train(way, shown, updates=updates, seed=seed)
        figures = judge(image, shown, cropped=way.region != "full")
        rows.add(
          key | {"way": title, "updates": updates, "took": round(took)} | figures
        )


if __name__ == "__main__":
  main()
