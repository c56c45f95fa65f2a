"""The network of DIP-Vid-Flow on a video of a set, for looking into it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dipvid_jax.composed import Composed
from dipvid_jax.media.placement import check_size
from dipvid_jax.method.config import Config
from dipvid_jax.method.keys import Value
from dipvid_jax.method.program import Program, build_program, flow_strides
from dipvid_jax.method.training_clip import TrainingClip, make_training_clip
from dipvid_jax.propagation.telea import telea
from flow import VideoFlow, estimate_video_flow, make_estimator
from studies.method_runs import as_unit, hole_mask, method_config


class Network(NamedTuple):
  """A network before its first update.

  Attributes:
    config: of the method.
    program: to train it with.
    clip: the video, prepared.
    video_flow: the known flow.
  """

  config: Config
  program: Program
  clip: TrainingClip
  video_flow: VideoFlow


def flow_config(composed: Composed, settings: Mapping[str, Value]) -> Config:
  """The config of DIP-Vid-Flow on a video of a set.

  Args:
    composed: the video.
    settings: values of config keys to change.

  Raises:
    InputError: the network does not take frames of the set's size; `run` puts others
      into larger ones, this does not.
  """
  size = composed.truth.shape[1:3]
  config = method_config("flow", size=size, settings=settings)
  check_size(size, config.network.levels)
  return config


def begin(composed: Composed, config: Config) -> Network:
  """Prepares a video and its network; the hole is filled by Telea, its flow known.

  Args:
    composed: the video.
    config: from `flow_config`; its estimator finds the known flow.

  Returns:
    The network.
  """
  holes = hole_mask(composed.hole)
  seen = telea(as_unit(composed.frames), holes)
  video_flow = estimate_video_flow(
    seen,
    strides=flow_strides(len(seen), config=config),
    estimator=make_estimator(config.flow.estimator, weights=config.flow.weights),
  )
  program = build_program(len(seen), config=config)
  clip = make_training_clip(seen, holes, video_flow, config=config)
  return Network(config, program, clip, video_flow)


def first_frames(network: Network) -> tuple[np.ndarray, np.ndarray]:
  """What a network shows before its first update.

  Args:
    network: from `begin`.

  Returns:
    Its frames `[T, H, W, 3]` and flow `[T, H, W, 2]`, pixels.
  """
  device = network.clip.device
  outputs = network.program.render(network.program.start(device), device)
  result = network.clip.compose(outputs)
  assert result.flow is not None  # for the type checker: this method makes flow
  return result.full, result.flow
