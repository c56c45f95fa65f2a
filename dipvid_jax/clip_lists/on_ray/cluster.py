"""A Ray cluster that takes steps, each in a process of its own."""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from dipvid_jax.clip_lists.on_ray.connecting import (
  answers,
  connect,
  host_and_port,
  import_ray,
)
from dipvid_jax.clip_lists.on_ray.memory import memory_of
from dipvid_jax.clip_lists.on_ray.schedule import LostError
from dipvid_jax.clip_lists.on_ray.step import (
  Outcome,
  Split,
  Step,
  Surroundings,
  own_version,
  take_step,
)
from dipvid_jax.errors import InputError, UnfinishedError

_LEAST_PENDING = 64  # steps sent at a time: enough for a cluster that grows when asked
_CPUS = 4  # of a step without a GPU, where the node has as many
_STALE = 86_400.0  # seconds after which the mark of a step is of no use to anyone
_GONE = 10.0  # seconds without the head after which the command ends


class Cluster:
  """Nodes that take steps; a `with` block, after which no step is left running."""

  _steps_a_process = 1  # JAX gives no memory back, nor takes another thread count

  def __init__(
    self,
    address: str,
    *,
    cpus_per_clip: int | None = None,
    gpus_per_clip: float | None = None,
    deterministic: bool = False,
    take: Callable[[Step, Surroundings], Outcome | Split] = take_step,
  ):
    """Connects.

    Args:
      address: "local", this machine alone; "auto", the cluster that this machine
        belongs to; or HOST:PORT of a cluster's head, of which this machine is a node.
      cpus_per_clip: cores, and threads, of each step; None: an equal part of a node for
        each of its GPUs; without a GPU 4, or what the node has.
      gpus_per_clip: GPUs of each step, also a part of one; None: 1 if the cluster
        has any, else 0.
      deterministic: see `set_up_jax`.
      take: what a process does with a step.

    Raises:
      InputError: Ray is not installed, nothing answers there, or no node could ever
        take a step.
    """
    self._ray = import_ray()
    self._address = address
    self._token = secrets.token_hex(4)
    self._numbers = itertools.count()
    self._marks: dict[Any, Path] = {}
    self._head: tuple[str, int] | None = None
    self._head_seen = self._looked = time.monotonic()
    connect(self._ray, address)
    try:
      if address != "local":
        self._head = host_and_port(self._ray.get_runtime_context().gcs_address)
      self._ask_for(cpus_per_clip, gpus_per_clip)
    except BaseException:
      self._ray.shutdown()
      raise
    self._deterministic = deterministic
    self._take = self._ray.remote(max_calls=self._steps_a_process)(take)

  def _ask_for(self, cpus: int | None, gpus: float | None) -> None:
    """Settles what each step asks for, and how many there may be."""
    nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
    most_gpus = max((node.get("GPU", 0) for node in nodes), default=0)
    most_cpus = int(max((node.get("CPU", 1) for node in nodes), default=1))
    self._memory = max((node.get("memory", 0) for node in nodes), default=0)
    self.gpus = (1.0 if most_gpus else 0.0) if gpus is None else gpus
    if cpus is not None:
      self.cpus = cpus
    elif self.gpus:
      self.cpus = max(1, int(most_cpus * min(1.0, self.gpus / max(most_gpus, 1))))
    else:
      self.cpus = min(_CPUS, most_cpus)
    for flag, asked, most, what in (
      ("--gpus-per-clip", self.gpus, most_gpus, "GPUs"),
      ("--cpus-per-clip", self.cpus, most_cpus, "cores"),
    ):
      if asked > most:
        raise InputError(
          f"{flag} {asked:g}: no node of {self._address} has more than {most:g} {what};"
          " ask for less, or start larger nodes first"
        )
    slots = sum(
      min(
        node.get("CPU", 0) // self.cpus,
        node.get("GPU", 0) // self.gpus if self.gpus else float("inf"),
      )
      for node in nodes
    )
    self.slots = int(slots)

  @property
  def most_pending(self) -> int:
    """How many steps are sent at a time."""
    return max(_LEAST_PENDING, 2 * self.slots)

  def describe(self) -> str:
    """What the cluster has and where it writes its logs, in one line."""
    cores = f"{self.cpus} core{'s' * (self.cpus > 1)}"
    gpus = f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
    return (
      f"--ray {self._address}: up to {self.slots} tasks at a time, each with {cores}"
      f"{gpus}; logs are in /tmp/ray/session_latest/logs of their node"
    )

  def __enter__(self) -> Self:
    """Connected already."""
    return self

  def __exit__(self, *_: object) -> None:
    """Ends what is running, and removes what was written to be seen."""
    self._ray.shutdown()
    for mark in list(self._marks.values()):
      _unmark(mark)

  def send(self, step: Step) -> Any:
    """Sends a step.

    Args:
      step: to take; its clip's folder is made.

    Returns:
      The ticket.

    Raises:
      OSError: the folder cannot be made.
    """
    mark = step.job.output / f".sent-{self._token}-{next(self._numbers)}"
    mark.parent.mkdir(parents=True, exist_ok=True)
    _sweep(mark.parent)
    mark.touch()
    surroundings = Surroundings(
      mark, own_version(), self.cpus, self.gpus, self._deterministic
    )
    wanted = memory_of(step.job.config, on_gpu=bool(self.gpus))
    task = self._take.options(
      num_cpus=self.cpus,
      num_gpus=self.gpus,
      memory=min(wanted, int(self._memory)),  # more would wait for ever
      max_retries=0,  # `Schedule` decides that
      name=step.name,
    )
    ticket = task.remote(step, surroundings)
    self._marks[ticket] = mark
    return ticket

  def ended(self, tickets: Sequence[Any], *, timeout: float) -> list[Any]:
    """Waits for a step to end.

    Args:
      tickets: of those to wait for.
      timeout: seconds.

    Returns:
      Those that have ended.

    Raises:
      UnfinishedError: the cluster's head does not answer any more.
    """
    self._check_head()
    if not tickets:
      time.sleep(timeout)
      return []
    asked = list(tickets)
    self._ray.wait(asked, num_returns=1, timeout=timeout, fetch_local=False)
    done, _ = self._ray.wait(
      asked, num_returns=len(asked), timeout=0, fetch_local=False
    )
    return done

  def result(self, ticket: Any) -> Outcome | Split:
    """What a step that has ended came to; see `Pool`."""
    _unmark(self._marks.pop(ticket))
    try:
      return self._ray.get(ticket)
    except self._ray.exceptions.OutOfMemoryError as error:
      raise LostError(
        "its node ran out of memory; use a smaller --size, or fewer clips at a time"
        " (--cpus-per-clip)"
      ) from error
    except self._ray.exceptions.RayTaskError as error:
      cause = str(error.cause).splitlines() or [type(error.cause).__name__]
      raise LostError(f"its worker failed ({cause[0]})") from error
    except self._ray.exceptions.RayError as error:
      kind = type(error).__name__.removesuffix("Error")
      raise LostError(f"its worker or node died ({kind})") from error

  def _check_head(self) -> None:
    """Notices a head that is gone; Ray takes a minute, then kills the process."""
    now = time.monotonic()
    if self._head is None or now < self._looked + 2:
      return
    self._looked = now
    if answers(self._head, timeout=2.0):
      self._head_seen = time.monotonic()
    elif now > self._head_seen + _GONE:
      raise UnfinishedError(
        f"--ray {self._address}: the cluster's head has not answered for"
        f" {now - self._head_seen:.0f} seconds"
      )


def _sweep(folder: Path) -> None:
  """Removes the marks of commands that were killed long ago."""
  for mark in folder.glob(".sent-*"):
    with contextlib.suppress(OSError):
      if time.time() - mark.stat().st_mtime > _STALE:
        mark.unlink()


def _unmark(mark: Path) -> None:
  """Removes a mark, and the folder where nothing else came into it."""
  try:
    mark.unlink(missing_ok=True)
    mark.parent.rmdir()
  except OSError:  # it holds results, or is gone
    pass
