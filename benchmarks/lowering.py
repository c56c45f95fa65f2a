"""What JAX hands to XLA for a GPU: the operations of a recipe's updates, counted.

Lowering needs no GPU and compiles nothing. XLA fuses, so the counts say what a program
asks for and what may be slow in it (scatters, constants), not how many kernels run.

Command:
  python -m benchmarks.lowering
"""

import argparse
import collections
import functools
import math
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct

from dipvid_jax import load_config
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import Program, build_program, clip_strides
from dipvid_jax.networks.vgg import VGGParams
from dipvid_jax.training.batching import DeviceClip, DeviceFlow
from dipvid_jax.training.fit import FitVisits
from dipvid_jax.training.frame_networks import FrameNetworks
from dipvid_jax.types import HasStep

RECIPES = ("flow", "fast", "vid3d", "dip")
_SHOWN = ("convolution", "gather", "scatter", "sort", "while")
_FRAMES = 20


class Lowered(NamedTuple):
  """What a program asks of XLA; the body of a loop is counted once.

  Attributes:
    operations: how many of each kind, those of called functions at each call.
    constant_bytes: of arrays in the program whose elements are not all the same.
    types: of the elements of all arrays, in MLIR's words.
    custom_calls: their targets.
    donated: arguments whose memory the results reuse.
    state: how many arrays the training state has.
  """

  operations: collections.Counter[str]
  constant_bytes: int
  types: frozenset[str]
  custom_calls: frozenset[str]
  donated: int
  state: int = 0


def lower_updates(
  config: Config, *, frame_count: int, size: tuple[int, int], platform: str = "cuda"
) -> Lowered:
  """Lowers a visit of a config's method, from the shapes of its arguments alone.

  Args:
    config: the run's settings.
    frame_count: T.
    size: (H, W) of the network's frames.
    platform: that the program is for.

  Returns:
    What it asks for.
  """
  program = build_program(frame_count, config=config)
  clip = _clip(config, frame_count, size)
  state = _state(program, clip, config)
  where: Any = ShapeDtypeStruct((1, 3), jnp.int32)
  if config.schedule.per_frame:
    where = ShapeDtypeStruct((), jnp.int32)
  function, weights = _compiled(program.fit_visits)
  traced = function.trace(
    weights, state, clip, where, inner_steps=config.schedule.inner_steps
  )
  module = traced.lower(lowering_platforms=(platform,)).compiler_ir("stablehlo")
  return _count(module)._replace(state=len(jax.tree.leaves(state)))


def _state(program: Program, clip: DeviceClip, config: Config) -> HasStep:
  """The shapes of a training state, which cannot be had from `program.start`."""
  one = ShapeDtypeStruct((1, *clip.noise.shape[1:]), clip.noise.dtype)
  network = jax.eval_shape(program.create_state, jax.random.key(0), one)
  if not config.schedule.per_frame:
    return network
  step: Any = ShapeDtypeStruct((), jnp.int32)
  loss: Any = ShapeDtypeStruct(clip.frames.shape[:1], jnp.float32)
  return FrameNetworks(network, step, clip.frames, loss)


def _compiled(fit_visits: FitVisits) -> tuple[Any, VGGParams]:
  """The compiled function in it, and VGG16's weights, its first argument."""
  assert isinstance(fit_visits, functools.partial)
  (first,) = fit_visits.args
  if isinstance(first, functools.partial):
    return _compiled(first)
  return fit_visits.func, first


def _clip(config: Config, frame_count: int, size: tuple[int, int]) -> DeviceClip:
  """A clip's shapes."""
  strides = len(clip_strides(frame_count, config=config))

  def frames(channels: int) -> ShapeDtypeStruct:
    return ShapeDtypeStruct((frame_count, *size, channels), jnp.float32)

  def pairs(channels: int, dtype: Any) -> ShapeDtypeStruct:
    return ShapeDtypeStruct((strides, 2, frame_count, *size, channels), dtype)

  flow: Any = None
  if config.losses.generates_flow:
    scale = ShapeDtypeStruct((strides,), jnp.float32)
    flow = (pairs(2, jnp.float32), pairs(1, jnp.bool_), pairs(1, jnp.bool_), scale)
    flow = DeviceFlow(*flow)
  number = ShapeDtypeStruct((strides,), jnp.int32)
  noise: Any = frames(config.network.noise_channels)
  return DeviceClip(noise, frames(3), frames(1), number, flow)  # type: ignore[arg-type]


def _count(module: Any) -> Lowered:
  functions = {op.name.value: op for op in module.body.operations}
  operations: collections.Counter[str] = collections.Counter()
  types: set[str] = set()
  targets: set[str] = set()
  constant_bytes = 0

  def visit(operation: Any) -> None:
    nonlocal constant_bytes
    kind = operation.operation.name.partition(".")[2]
    if kind == "call":
      visit_body(functions[operation.attributes["callee"].value])
      return
    if kind not in ("return", "constant"):
      operations[kind] += 1
    types.update(map(_element, operation.results))
    if kind == "constant":
      constant_bytes += _constant_bytes(operation.attributes["value"])
    if kind == "custom_call":
      targets.add(operation.attributes["call_target_name"].value)
    visit_body(operation)

  def visit_body(operation: Any) -> None:
    for region in operation.regions:
      for block in region.blocks:
        for inner in block.operations:
          visit(inner)

  visit_body(functions["main"])
  donations = ("tf.aliasing_output", "jax.buffer_donor")
  arguments = functions["main"].arguments
  attributes = functions["main"].attributes["arg_attrs"]
  types.update(map(_element, arguments))
  return Lowered(
    operations=operations,
    constant_bytes=constant_bytes,
    types=frozenset(types),
    custom_calls=frozenset(targets),
    donated=sum(any(name in given for name in donations) for given in attributes),
  )


def _element(value: Any) -> str:
  return str(getattr(value.type, "element_type", value.type))


def _constant_bytes(value: Any) -> int:
  if getattr(value, "is_splat", True):
    return 0
  bits = int(re.sub(r"\D", "", str(value.type.element_type)))
  return math.prod(value.type.shape) * bits // 8


def main() -> None:
  """Prints a table, a row for each recipe at its own size."""
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--platform", default="cuda", help="default: %(default)s")
  platform = parser.parse_args().platform
  print(f"| recipe | operations | {' | '.join(_SHOWN)} | constants, MiB |")
  print("| --- " * (len(_SHOWN) + 3) + "|")
  for recipe in RECIPES:
    config = load_config(recipe)
    height, width = config.placement.size
    lowered = lower_updates(
      config, frame_count=_FRAMES, size=(height, width), platform=platform
    )
    shown = [lowered.operations.total(), *(lowered.operations[k] for k in _SHOWN)]
    constants = f"{lowered.constant_bytes / 2**20:.2f}"
    print(f"| `{recipe}.py` | {' | '.join(map(str, shown))} | {constants} |")


if __name__ == "__main__":
  main()
