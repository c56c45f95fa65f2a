"""A list of clips, in this process or on a cluster."""

from collections.abc import Iterator, Sequence

import jax

from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.clip_lists.on_ray.cluster import Cluster
from dipvid_jax.clip_lists.on_ray.progress import ListProgress
from dipvid_jax.clip_lists.on_ray.schedule import Schedule
from dipvid_jax.clip_lists.one_by_one import work_one_by_one
from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config
from dipvid_jax.runs.source import absolute
from dipvid_jax.runs.standing import advance
from dipvid_jax.terminal import say


def inpaint_many(
  jobs: Sequence[Config | Job],
  *,
  ray: str | None = None,
  cpus_per_clip: int | None = None,
  gpus_per_clip: float | None = None,
) -> list[Outcome]:
  """Inpaints the videos of many configs; each writes into its own output folder.

  Finished clips are skipped, begun ones continue from their last checkpoint. A clip
  that fails does not stop the others.

  Args:
    jobs: configs from `load_config`, with output set, and video and mask, or tfds and
      video_id.
    ray: None: in this process, one after the other. Else as tasks of Ray, of which
      each window of a long clip is one: "local" on this machine, "auto" or
      "HOST:PORT" on a cluster. This process should not have started JAX on a GPU
      that the tasks need.
    cpus_per_clip, gpus_per_clip: of a task, see `Cluster`; only with `ray`.

  Returns:
    An outcome for each job, in their order.

  Raises:
    InputError: two jobs have one output folder, or Ray cannot be used.
    JaxRuntimeError: the device of this process has stopped working.
    UnfinishedError: the cluster is lost; the same call continues.
  """
  listed = [job if isinstance(job, Job) else Job(job) for job in jobs]
  _check_outputs(listed)
  outcomes = [outcome_of(job, "waiting") for job in listed]
  for index, outcome in settle(
    listed, ray=ray, cpus_per_clip=cpus_per_clip, gpus_per_clip=gpus_per_clip
  ):
    outcomes[index] = outcome
  return outcomes


def settle(
  jobs: Sequence[Job],
  *,
  ray: str | None = None,
  cpus_per_clip: int | None = None,
  gpus_per_clip: float | None = None,
  deterministic: bool = False,
) -> Iterator[tuple[int, Outcome]]:
  """`inpaint_many`, telling of each clip as soon as it is settled.

  Args:
    jobs: the list.
    ray, cpus_per_clip, gpus_per_clip: as `inpaint_many`.
    deterministic: of the tasks, see `set_up_jax`; in this process it is set up.

  Yields:
    A clip's index and its outcome.
  """
  if ray is None:
    yield from work_one_by_one(jobs)
    return
  jax.config.update("jax_platforms", "cpu")  # the GPUs are the tasks'
  cluster = Cluster(
    ray,
    cpus_per_clip=cpus_per_clip,
    gpus_per_clip=gpus_per_clip,
    deterministic=deterministic,
  )
  placed = [job._replace(config=absolute(job.config)) for job in jobs]
  with cluster:
    say(cluster.describe())
    progress = ListProgress(placed)
    try:
      schedule = Schedule(
        placed,
        cluster,
        standing=lambda step: advance(step.folder),
        on_look=progress.look,
      )
      for index, outcome in schedule.outcomes():
        progress.settled(index, outcome)
        yield index, outcome
    finally:
      progress.close()


def _check_outputs(jobs: Sequence[Job]) -> None:
  seen = set()
  for job in jobs:
    if not job.config.output.folder:
      raise InputError("inpaint_many: a config has no output; set it")
    place = job.output.resolve()
    if place in seen:
      raise InputError(f"--output {job.output}: two clips of the list have this folder")
    seen.add(place)
