"""The number of threads that decides the last bits of a run on a CPU.

XLA divides sums among its threads, so that another number adds them in another order.
A run records the number that it began with, and goes on with it.
"""

from pathlib import Path

import jax

from dipvid_jax.jax_setup import cpu_threads, set_threads
from dipvid_jax.runs.config_file import CPU_THREADS, recorded_threads


def threads_record() -> dict[str, int]:
  """What a run that begins records beside its config: nothing on a GPU."""
  return {CPU_THREADS: cpu_threads()} if _runs_on_cpu() else {}


def restore_threads(folder: Path) -> int | None:
  """Sets the threads of XLA and OpenCV to those that a folder's run began with.

  Args:
    folder: of the run's output; without a record nothing changes.

  Returns:
    Their number where it is another one now; None where nothing has changed.
  """
  threads = recorded_threads(folder)
  if threads is None or threads == cpu_threads() or not set_threads(threads):
    return None
  return threads


def describe_restored(threads: int | None) -> str:
  """Says with how many threads a run continues; starts JAX.

  Args:
    threads: from `restore_threads`.

  Returns:
    One line; empty where nothing has changed, or on a GPU.
  """
  if threads is None or not _runs_on_cpu():
    return ""
  return (
    f"continues with {_count(threads)}, as the run began: more or fewer change its"
    " last bits"
  )


def describe_other(folder: Path) -> str:
  """Says that a run continues with another number of threads than it began with.

  Args:
    folder: of its output.

  Returns:
    One line; empty where the number is the same or not recorded, or on a GPU.
  """
  begun, now = recorded_threads(folder), cpu_threads()
  if begun is None or begun == now or not _runs_on_cpu():
    return ""
  return (
    f"began with {_count(begun)} and continues with {now}: its last bits may differ"
  )


def _runs_on_cpu() -> bool:
  return jax.default_backend() == "cpu"


def _count(threads: int) -> str:
  return f"{threads} thread{'s' * (threads > 1)}"
