"""Work on every frame of a clip, on all CPUs that the process may use."""

import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from flow.machine import cpu_count

Result = TypeVar("Result")


def map_frames(function: Callable[[int], Result], count: int) -> list[Result]:
  """Calls a function with each frame's number; the order does not matter to it.

  Args:
    function: of a number from 0 to `count - 1`; OpenCV and NumPy let threads run.
    count: frames.

  Returns:
    The results, in order.
  """
  with concurrent.futures.ThreadPoolExecutor(cpu_count()) as pool:
    return list(pool.map(function, range(count)))
