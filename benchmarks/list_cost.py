"""What a list of clips costs beside the clips: a list of clips that are done at once.

  python -m benchmarks.list_cost --clips 10000

Each clip is a task that does nothing, in processes that are used again, because a real
clip's own process costs a second. The time is that of the driver: its files, Ray's
scheduling, and what becomes of each clip. `--pending` sends as many at a time.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.clip_lists.on_ray.cluster import Cluster
from dipvid_jax.clip_lists.on_ray.schedule import Schedule
from dipvid_jax.clip_lists.on_ray.step import Step, Surroundings
from dipvid_jax.method.recipes import load_config


def _do_nothing(step: Step, _: Surroundings) -> Outcome:
  return outcome_of(step.job, "done")


class _Reused(Cluster):
  """Takes many steps in one process."""

  _steps_a_process = 0
  pending: int | None = None

  @property
  def most_pending(self) -> int:
    """How many steps are sent at a time."""
    return self.pending or super().most_pending


def measure(count: int, pending: int | None) -> dict[str, float]:
  """Takes a list of clips to its end.

  Args:
    count: of clips.
    pending: sent at a time; None: as for real clips.

  Returns:
    Seconds, and MiB that the driver had at most.
  """
  config = load_config("fast", video="none.mp4", mask="none.png")
  with tempfile.TemporaryDirectory() as folder:
    begun = time.perf_counter()
    jobs = [
      Job(config.replace(output=str(Path(folder) / str(k))), k) for k in range(count)
    ]
    listed = time.perf_counter()
    with _Reused("local", take=_do_nothing) as cluster:
      cluster.pending = pending
      schedule = Schedule(jobs, cluster, standing=lambda _: ())
      connected = time.perf_counter()
      done = sum(outcome.state == "done" for _, outcome in schedule.outcomes())
      ended = time.perf_counter()
  assert done == count
  return {
    "clips": count,
    "listing_s": round(listed - begun, 2),
    "connecting_s": round(connected - listed, 2),
    "scheduling_s": round(ended - connected, 2),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
  }


def main() -> None:
  """Measures and prints."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
  parser.add_argument("--clips", type=int, default=10_000)
  parser.add_argument("--pending", type=int)
  arguments = parser.parse_args()
  print(measure(arguments.clips, arguments.pending))


if __name__ == "__main__":
  main()
