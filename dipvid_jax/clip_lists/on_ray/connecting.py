"""Ray: imported, and connected to."""

import os
import socket
from typing import Any

from dipvid_jax.errors import InputError
from flow.machine import cpu_count

_ANSWER = 5.0  # seconds for the head to take a connection
_RECONNECT_NAME = "RAY_gcs_rpc_server_reconnect_timeout_s"
_RECONNECT = 10  # seconds without the head after which a local node ends


def import_ray() -> Any:
  """Imports Ray, without its reports of who uses it.

  Raises:
    InputError: it is not installed.
  """
  os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
  # Of this process, so that `Cluster` says it first; nodes have their own.
  os.environ[_RECONNECT_NAME] = "60"
  try:
    import ray
  except ImportError as error:
    raise InputError(
      "--ray: Ray is not installed; install dipvid_jax[ray], or leave out --ray"
    ) from error
  return ray


def connect(ray: Any, address: str) -> None:
  """Connects this process to a cluster, or starts one on this machine.

  Args:
    ray: from `import_ray`.
    address: "local", "auto" or HOST:PORT.

  Raises:
    InputError: the address is none of these, or nothing can be connected to there.
  """
  if ray.is_initialized():
    raise InputError("ray: this process is connected already; call ray.shutdown()")
  quiet = {"log_to_driver": False, "logging_level": "ERROR"}
  if address == "local":
    ray.init(
      address="local",
      num_cpus=cpu_count(),
      include_dashboard=False,
      _node_ip_address="127.0.0.1",
      _system_config={"gcs_rpc_server_reconnect_timeout_s": _RECONNECT},
      **quiet,
    )
    return
  if address != "auto":
    place = host_and_port(address)
    if place is None:
      raise InputError(
        f"--ray {address}: is neither local, auto nor HOST:PORT, such as"
        " 10.0.0.1:6379 (the port of ray start --head)"
      )
    if not answers(place, timeout=_ANSWER):
      raise InputError(
        f"--ray {address}: nothing answers there; start the cluster with ray start"
        " --head, or check host, port and firewall"
      )
  try:
    ray.init(address=address, **quiet)
  except Exception as error:  # Ray raises many kinds
    reason = " ".join(str(error).split())[:200]
    raise InputError(
      f"--ray {address}: cannot be connected to ({reason}); this machine must be a node"
      " of the cluster: ray start --address HOST:PORT"
    ) from error


def host_and_port(address: str) -> tuple[str, int] | None:
  """The parts of HOST:PORT; None for anything else."""
  host, _, port = address.rpartition(":")
  if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 2**16:
    return None
  return host.strip("[]"), int(port)


def answers(place: tuple[str, int], *, timeout: float) -> bool:
  """Whether something takes a connection there within some seconds."""
  try:
    with socket.create_connection(place, timeout=timeout):
      return True
  except OSError:
    return False
