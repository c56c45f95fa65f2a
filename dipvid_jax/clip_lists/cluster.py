"""Which process of a cluster job this is, and which of its machine's GPUs it gets."""

import dataclasses
import os

import jax
from jax._src import clusters

from dipvid_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Place:
  """A process among those of its job.

  Attributes:
    index: its number, from 0.
    count: their number.
  """

  index: int
  count: int


def take_place() -> Place:
  """Asks JAX's cluster detection: Slurm, Open MPI, Kubernetes, Cloud TPU.

  The numbers are those that `jax.distributed.initialize()` uses. It is not called,
  because workers never communicate and it would tie them together: it ends the
  process when another does not start, and blocks a worker that is restarted alone.
  The process gets the one GPU that `initialize` would give it.

  Returns:
    The place.

  Raises:
    InputError: JAX detects no cluster, or cannot determine the place.
  """
  # A private name: JAX has no public access to the numbers without `initialize`.
  for cluster in clusters.ClusterEnv._cluster_types:
    if cluster.opt_in_only_method or not cluster.is_env_present():
      continue
    try:
      place = Place(cluster.get_process_id(), cluster.get_process_count())
      _take_device(cluster.get_local_process_id())
    except (RuntimeError, ValueError, LookupError, OSError) as error:
      reason = " ".join(str(error).split())
      raise InputError(f"--distributed: {cluster.name}: {reason}") from error
    return place
  raise InputError(
    "--distributed: no cluster that JAX knows (Slurm, Open MPI, Kubernetes with"
    " jax[k8s]); leave it out: workers can share a manifest without it"
  )


def _take_device(local_index: int | None) -> None:
  """Shows JAX one GPU of several, unless the cluster has already chosen one."""
  devices = os.environ.get("JAX_LOCAL_DEVICE_IDS")
  chosen = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get(
    "ROCR_VISIBLE_DEVICES"
  )
  if devices is None and local_index is not None and not _is_single(chosen):
    devices = str(local_index)
  if devices is not None:
    jax.config.update("jax_cuda_visible_devices", devices)
    jax.config.update("jax_rocm_visible_devices", devices)


def _is_single(chosen: str | None) -> bool:
  return bool(chosen) and "," not in str(chosen)
