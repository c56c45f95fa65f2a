"""Random numbers by name, all from one call of the generator.

Dozens of calls of `jax.random` take longer to compile than the rest of a scene.
"""

import math
from collections.abc import Mapping

import jax

Range = tuple[float, float] | tuple[float, float, tuple[int, ...]]


def draw_numbers(key: jax.Array, ranges: Mapping[str, Range]) -> dict[str, jax.Array]:
  """Draws uniform numbers.

  Args:
    key: a PRNG key, consumed.
    ranges: by name, (smallest, largest) for a scalar, or (smallest, largest, shape).

  Returns:
    Independent float32 arrays by name.
  """
  shapes = [limits[2] if len(limits) == 3 else () for limits in ranges.values()]
  sizes = [math.prod(shape) for shape in shapes]
  drawn = jax.random.uniform(key, (sum(sizes),))
  numbers, start = {}, 0
  for (name, limits), shape, size in zip(ranges.items(), shapes, sizes, strict=True):
    unit = drawn[start : start + size].reshape(shape)
    numbers[name] = limits[0] + (limits[1] - limits[0]) * unit
    start += size
  return numbers
