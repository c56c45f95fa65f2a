"""What a run needs, before it begins: memory, disk, arithmetic."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax

from dipvid_jax.errors import InputError
from dipvid_jax.jax_setup import memory_share
from dipvid_jax.networks.generator import CHANNELS
from flow import machine

# Bytes that an update holds for each pixel of its batch, by levels, at the peak;
# from XLA's memory analysis on a CPU (jax 0.10.2), which a test repeats.
_NETWORK = (680, 990, 1160, 1300, 1380, 1400)
_FLOW_LOSSES, _VGG = 150, 1300
_VGG_WEIGHTS = 6_941_952  # bytes; their gradients use a second, turned copy
_TEMPORAL = 2.2  # times the network's, with 3D convolutions
# Floating-point operations of an update for each pixel of its batch: 48 and 271 GFLOP
# at 5 x 192 x 384, 2.85 times the former with 3D convolutions.
_NETWORK_FLOP = (24e3, 56e3, 87e3, 118e3, 125e3, 130e3)  # by levels
_VGG_FLOP, _TEMPORAL_FLOP = 736e3, 2.85
_COMPILER = 500_000_000  # bytes on the host while a program is compiled
_FLOAT, _BOOL = 4, 1
_CARRY = 30  # floats per pixel of a window: three propagations and their flow

# How far the estimate may be from XLA's figure on a GPU, to be on the safe side.
_DOUBT = 2.0
_LARGEST_SHARE = 0.95  # of a GPU's memory; CUDA needs some

Scale = Callable[[int], tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Work:
  """What decides how much a run needs.

  Attributes:
    frame_count: of a window, K.
    window_count: how many windows are trained.
    size: (H, W) of the network's frames.
    stride_count: at how many strides known flow is stored.
    batch_size: N.
    levels: of the network.
    noise_channels: of its input.
    state_bytes: of the training state, parameters and optimiser.
    updates: of a window.
    second_kernel: of a level's second convolution up, 1 or 3.
    temporal: 3D convolutions.
    flow_losses: the network makes flow, and the known flow is on the device.
    perceptual: VGG16 is used.
    carry: known pixels are carried into the hole.
    clip_size: (H, W) of the frames that flow is found in; None: the network's.
    may_not_train: the clip itself may show enough of its hole.
    device_factor: XLA's figure for the device's memory over the estimate.
  """

  frame_count: int
  window_count: int
  size: tuple[int, int]
  stride_count: int
  batch_size: int
  levels: int
  noise_channels: int
  state_bytes: int
  updates: int
  second_kernel: int = 1
  temporal: bool = False
  flow_losses: bool = False
  perceptual: bool = False
  carry: bool = False
  clip_size: tuple[int, int] | None = None
  may_not_train: bool = False
  device_factor: float = 1.0


class Needs(NamedTuple):
  """What a run needs, about.

  Attributes:
    device: bytes on the device.
    host: bytes in the computer's memory beside the input as it was read; on a CPU
      the device's come on top.
    disk: bytes of stored flow and checkpoints.
    flop: floating-point operations of an update.
  """

  device: int
  host: int
  disk: int
  flop: float


def needs(work: Work) -> Needs:
  """Estimates what a run needs from the sizes of its arrays.

  Args:
    work: what the run does.

  Returns:
    The needs; the device's memory is within a factor of 1.5 of XLA's own figure on a
    CPU. A GPU's convolutions may take more: see `as_measured`.
  """
  pixels, clip_pixels = math.prod(work.size), math.prod(work.clip_size or work.size)
  batch = work.batch_size * pixels
  # (dx, dy) and whether it is visible, both ways; the device also knows its hole.
  stored_flow = 2 * work.stride_count * clip_pixels * (2 * _FLOAT + _BOOL)
  held_flow = 2 * work.stride_count * pixels * (2 * _FLOAT + 2 * _BOOL)
  frame = pixels * _FLOAT * (3 + 1 + work.noise_channels)
  clip = work.frame_count * (frame + (held_flow if work.flow_losses else 0))
  result = work.frame_count * clip_pixels * _FLOAT * (3 + 3 + 2 + 1)
  carried = work.frame_count * clip_pixels * _FLOAT * _CARRY if work.carry else 0
  held = clip + 2 * work.state_bytes + 2 * _VGG_WEIGHTS * work.perceptual
  return Needs(
    device=round(work.device_factor * (held + batch * _bytes_a_pixel(work))),
    host=_COMPILER
    + work.frame_count * (4 * frame + stored_flow + held_flow)
    + 2 * result
    + carried,
    disk=work.window_count * (work.frame_count * stored_flow + 2 * work.state_bytes),
    flop=batch
    * flop_a_pixel(
      levels=work.levels,
      second_kernel=work.second_kernel,
      temporal=work.temporal,
      perceptual=work.perceptual,
    ),
  )


def _bytes_a_pixel(work: Work) -> int:
  network = _NETWORK[work.levels - 1] * (_TEMPORAL if work.temporal else 1)
  return round(network) + _FLOW_LOSSES * work.flow_losses + _VGG * work.perceptual


def flop_a_pixel(
  *,
  levels: int,
  second_kernel: int = 1,
  temporal: bool = False,
  perceptual: bool = False,
) -> float:
  """Floating-point operations of an update for each pixel of its batch.

  XLA counts the same before compilation, but only for a CPU.

  Args:
    levels: of the network.
    second_kernel: of a level's second convolution up, 1 or 3.
    temporal: 3D convolutions.
    perceptual: VGG16 is used.

  Returns:
    The number, within some hundredths.
  """
  network = _NETWORK_FLOP[levels - 1] * (_TEMPORAL_FLOP if temporal else 1)
  taps = second_kernel ** (3 if temporal else 2)
  # A multiplication and an addition a tap, forward and in both gradients.
  one_tap = sum(6 * c**2 / 4**level for level, c in enumerate(CHANNELS[:levels]))
  return network + (taps - 1) * one_tap + _VGG_FLOP * perceptual


class Memory(NamedTuple):
  """What is free, in bytes; None where it cannot be told.

  Attributes:
    device: on the device; None on a CPU, whose memory is the computer's.
    host: in the computer, or in the container that the process runs in.
    limit: whose limit `host` is what is left of, for the user; empty: not said.
    device_share: of the device's memory that JAX takes.
  """

  device: int | None
  host: int | None
  limit: str = ""
  device_share: float = 0.75


def free_memory() -> Memory:
  """Asks the device that JAX uses, and the system, what is free now."""
  statistics = jax.devices()[0].memory_stats()
  device = None
  if statistics and "bytes_limit" in statistics:
    device = statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
  free = Memory(device, None, device_share=memory_share())
  host = machine.free_memory()
  if host is None:
    return free
  limit = f"of the {host.holder}'s {_size(host.total)}"
  return free._replace(host=host.free, limit=limit)


def as_measured(work: Work, free: Memory, *, ask: Callable[[], int | None]) -> Work:
  """Puts XLA's own figure for the device in place of the estimate, where that pays.

  XLA compiles the training to tell, which a run that trains does anyway. It is not
  asked on a CPU, whose figures the estimate is made from; where the training may be
  left out and the estimate leaves no doubt; nor where the run is far too large.

  Args:
    work: what the run does.
    free: from `free_memory`.
    ask: compiles, and returns bytes; None where they cannot be told.

  Returns:
    The work, with a `device_factor` by which needs of other sizes are judged as well.
  """
  estimate = needs(work).device
  if free.device is None or estimate > _DOUBT * free.device:
    return work
  if work.may_not_train and _DOUBT * estimate < free.device:
    return work
  measured = ask()
  if measured is None:
    return work
  factor = work.device_factor * measured / estimate
  return dataclasses.replace(work, device_factor=factor)


def fits(work: Work, free: Memory) -> bool:
  """Whether a run has the memory that it needs; what is not known is enough."""
  wanted = needs(work)
  host = wanted.host + (wanted.device if free.device is None else 0)
  return (free.device is None or wanted.device <= free.device) and (
    free.host is None or host <= free.host
  )


def check_fits(work: Work, free: Memory, *, smallest_window: int) -> None:
  """Makes sure that a run fits into memory.

  Args:
    work: what the run does.
    free: from `free_memory`.
    smallest_window: frames that a window must have.

  Raises:
    InputError: it does not; the line says what would, and how to ask for it.
  """
  if fits(work, free):
    return
  remedies = []
  if (window := _largest_window(work, free, smallest_window)) is not None:
    remedies.append(f"--window {window} --overlap {min(10, window // 5)}")
  remedies += _smaller(work, free)
  would = f"{' or '.join(remedies)} would fit" if remedies else "use a larger machine"
  raise InputError(
    f"not enough memory for {work.frame_count} frames at {work.size[0]}x"
    f"{work.size[1]} (height x width): needs {describe_memory(work, free)}; {would}"
    f"{_more_of_the_device(work, free)}"
  )


def _more_of_the_device(work: Work, free: Memory) -> str:
  """How JAX can have more of a GPU, where that is what lacks."""
  lacks = free.device is not None and needs(work).device > free.device
  if not lacks or free.device_share >= _LARGEST_SHARE:
    return ""
  return (
    f"; JAX takes {free.device_share:.0%} of the GPU's memory, and more with"
    f" XLA_CLIENT_MEM_FRACTION={_LARGEST_SHARE} if nothing else uses the GPU"
  )


def _largest_window(work: Work, free: Memory, smallest: int) -> int | None:
  def fitting(count: int) -> bool:
    return fits(dataclasses.replace(work, frame_count=count), free)

  return _largest(smallest, work.frame_count - 1, fitting)


def _smaller(work: Work, free: Memory) -> list[str]:
  """The largest size of about the same aspect, with fewer levels if that must be."""
  height, width = work.size
  for levels in range(work.levels, 0, -1):
    step = 2**levels

    def scaled(rows: int, step: int = step) -> tuple[int, int]:
      return rows * step, max(3, round(rows * width / height)) * step

    def fitting(rows: int, levels: int = levels, scaled: Scale = scaled) -> bool:
      return fits(dataclasses.replace(work, size=scaled(rows), levels=levels), free)

    rows = _largest(3, -(-height // step) - 1, fitting)
    if rows is not None:
      size = "--size {}x{}".format(*scaled(rows))
      return [size if levels == work.levels else f"{size} --config.levels={levels}"]
  return []


def _largest(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
  """The largest number of `low .. high` that holds, where all below it hold as well."""
  if low > high or not holds(low):
    return None
  while low < high:
    middle = (low + high + 1) // 2
    low, high = (middle, high) if holds(middle) else (low, middle - 1)
  return low


def describe(work: Work, free: Memory) -> str:
  """What a run needs, in one line for its user."""
  wanted = needs(work)
  windows = f"in each of {work.window_count} windows " if work.window_count > 1 else ""
  return (
    f"needs {describe_memory(work, free)} and {_size(wanted.disk)} of disk; "
    f"{windows}{work.updates:,} updates of {wanted.flop / 1e9:.3g} GFLOP"
  )


def describe_memory(work: Work, free: Memory) -> str:
  """The memory that a run needs and what is free of it, in words."""
  wanted = needs(work)
  if free.device is None:
    return _of("memory", wanted.host + wanted.device, free.host, free.limit)
  return (
    f"{_of('device memory', wanted.device, free.device)},"
    f" {_of('memory', wanted.host, free.host, free.limit)}"
  )


def _of(what: str, wanted: float, free: int | None, limit: str = "") -> str:
  words = f"about {_size(wanted)} of {what}"
  if free is None:
    return words
  return f"{words} ({_size(free)} free{f' {limit}' if limit else ''})"


def _size(count: float) -> str:
  if count < 1e9:
    return f"{count / 1e6:.0f} MB"
  return f"{count / 1e9:,.1f} GB"
