"""What JAX hands to XLA for a GPU: the operations of a recipe's updates, counted.

Lowering needs no GPU and compiles nothing. XLA fuses, so the counts say what a program
asks for and what may be slow in it (scatters, constants), not how many kernels run.

Command:
  python -m benchmarks.lowering
"""

import argparse
import collections
import math
import re
from typing import Any, NamedTuple

import jax

from dipvid_jax import load_config
from dipvid_jax.method.config import Config
from dipvid_jax.method.program import build_program
from dipvid_jax.method.traced_visit import abstract_clip, abstract_state, trace_visit

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
    precisions: of the convolutions and products.
    state: how many arrays the training state has.
  """

  operations: collections.Counter[str]
  constant_bytes: int
  types: frozenset[str]
  custom_calls: frozenset[str]
  donated: int
  precisions: frozenset[str]
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
  traced = trace_visit(program, frame_count=frame_count, size=size, config=config)
  module = traced.lower(lowering_platforms=(platform,)).compiler_ir("stablehlo")
  state = abstract_state(
    program, abstract_clip(frame_count, size, config=config), config=config
  )
  return _count(module)._replace(state=len(jax.tree.leaves(state)))


def _count(module: Any) -> Lowered:
  functions = {op.name.value: op for op in module.body.operations}
  operations: collections.Counter[str] = collections.Counter()
  types: set[str] = set()
  targets: set[str] = set()
  precisions: set[str] = set()
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
    precisions.update(_precisions(operation))
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
    precisions=frozenset(precisions),
  )


def _element(value: Any) -> str:
  return str(getattr(value.type, "element_type", value.type))


def _precisions(operation: Any) -> list[str]:
  """`DEFAULT`, `HIGH` or `HIGHEST` of either operand, where an operation has it."""
  attributes = operation.attributes
  if "precision_config" not in attributes:
    return []
  return re.findall(r"precision (\w+)", str(attributes["precision_config"]))


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
