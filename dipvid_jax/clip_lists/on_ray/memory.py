"""How much memory a step asks its node for."""

import functools
import math
from pathlib import Path

from dipvid_jax.media.placement import place
from dipvid_jax.media.stated_shape import stated_shape
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import build_program, describe_work
from dipvid_jax.method.requirements import needs
from dipvid_jax.runs.windows import plan_windows

_INPUT = 2  # bytes a sample of the input: frames and what is written of them


def memory_of(config: Config, *, on_gpu: bool) -> int:
  """Estimates the memory of a run from what its input's headers state.

  Args:
    config: the run's.
    on_gpu: the network's arrays are in the GPU's memory.

  Returns:
    Bytes; 0 where the headers do not say enough.
  """
  shape = stated_shape(Path(config.source.video)) if config.source.video else None
  if shape is None:
    return 0
  # Without names, so that the clips of a list share estimates.
  unnamed = config.replace(video=None, mask=None, output=None)
  return _memory(unnamed, shape, on_gpu)


@functools.lru_cache(maxsize=256)
def _memory(config: Config, shape: tuple[int, int, int], on_gpu: bool) -> int:
  count, *size = shape
  windows = plan_windows(
    count, length=config.windows.window, overlap=config.windows.overlap
  )
  length = windows[0].stop - windows[0].start
  placement = place(
    (size[0], size[1]),
    size=config.placement.content_size,
    fit=config.placement.fit,
    levels=config.network.levels,
    side=config.propagation.side,
  )
  work = describe_work(
    build_program(length, config=config),
    frame_count=length,
    size=placement.size,
    windows=len(windows),
    config=config,
  )
  wanted = needs(work)
  return wanted.host + (0 if on_gpu else wanted.device) + _INPUT * 3 * math.prod(shape)
