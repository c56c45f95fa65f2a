"""What is compared: a way to run updates, and the program that it becomes."""

import dataclasses
from collections.abc import Callable


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
    updates: of one timed call.
    levels: of the network.
    frames: of the clip on the device; what a batch needs where None.
    states: networks that one program trains at a time.
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


@dataclasses.dataclass
class Program:
  """What a worker's builder returns.

  Attributes:
    call: runs `updates` updates and waits for the end.
    facts: what else the row should tell (precision, FLOP).
    peak_memory: bytes in use at the most so far; the process's own where None.
  """

  call: Callable[[], None]
  facts: dict
  peak_memory: Callable[[], int] | None = None
