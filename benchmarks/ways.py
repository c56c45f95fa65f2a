"""What is compared: a way to run updates, and the program built from it."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypedDict

# Operations that CUDA graphs leave out by default.
COMMAND_BUFFERS = {
  "graph_convolutions": "+CONVOLUTION",
  "graph_loops": "+CONVOLUTION,+WHILE",
}
UNROLL = {"unroll_2": 2, "unroll_4": 4}
# `scan`: the updates of a batch in one scan, as `fit` runs them. `step`: one call from
# Python per update. Each of the others changes one thing about `scan`, on a GPU:
# `float32` is without TensorFloat-32.
JAX_VARIANTS = {
  "cpu": ("scan", "step"),
  "gpu": ("scan", "step", "float32", "vgg_bfloat16", *UNROLL, *COMMAND_BUFFERS),
}
TORCH_VARIANTS = ("authors", "repaired", "tuned", "compiled")
LOSSES = ("all", "no_vgg")


@dataclasses.dataclass(frozen=True)
class Way:
  """One row of the comparison.

  Attributes:
    framework: `jax` or `pytorch`.
    variant: how the updates are run.
    losses: `all` or `no_vgg`.
    device: `cpu` or `gpu`.
    height, width: the working size.
    batch_size: N.
    updates: the number in one timed call.
    levels: depth of the network.
    frames: length of the clip on the device; None holds just what a batch needs.
    states: networks that one program trains at a time.
    dry: only to see that it runs: in this process, on whatever JAX has.
  """

  framework: str
  variant: str
  losses: str
  device: str
  height: int = 192
  width: int = 384
  batch_size: int = 5
  updates: int = 100
  levels: int = 6
  frames: int | None = None
  states: int = 1
  dry: bool = False

  @property
  def on_gpu(self) -> bool:
    """Whether it runs on a GPU; a dry way is only one that would."""
    return self.device == "gpu" and not self.dry


class Size(TypedDict):
  """The working size, as keywords of `Way` and of the drawn clip."""

  height: int
  width: int


DRY_SIZE: Size = {"height": 16, "width": 32}
DRY_LEVELS = 1


def as_dry(way: Way) -> Way:
  """The same way at a tiny size, only to see that it runs; sizes are all the same."""
  return dataclasses.replace(
    way,
    **DRY_SIZE,
    levels=DRY_LEVELS,
    batch_size=2,
    updates=2,
    frames=None,
    dry=True,
  )


class Shape(TypedDict, total=False):
  """Keywords of `Way` for the working size and the network's depth."""

  height: int
  width: int
  levels: int


class Changes(Shape, total=False):
  """Keywords of `Way` that a suite varies."""

  variant: str
  batch_size: int
  frames: int
  states: int


@dataclasses.dataclass
class Program:
  """What a worker's builder returns.

  Attributes:
    call: runs `updates` updates and waits until they are done.
    facts: further columns of the row (precision, FLOP).
    peak_memory: returns the largest number of bytes in use so far; None for the
      memory of the whole process.
  """

  call: Callable[[], None]
  facts: dict[str, Any]
  peak_memory: Callable[[], int] | None = None
