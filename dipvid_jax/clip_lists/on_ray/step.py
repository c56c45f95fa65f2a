"""What a task does, in a process of its own on a node of the cluster.

JAX starts here and nowhere else: the driver of the list never touches a GPU.
"""

import dataclasses
import functools
import os
import socket
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import jax

from dipvid_jax.clip_lists.attempt import attempt
from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.jax_setup import set_up_command, share_device
from dipvid_jax.runs.config_file import recorded_threads
from dipvid_jax.runs.run import run
from dipvid_jax.runs.window_folder import WindowFolder
from dipvid_jax.runs.window_run import open_windows, run_window

_LOOK = 1.0  # seconds between looks at the parent process


class Step(NamedTuple):
  """A task: a clip, or one window of it.

  Attributes:
    job: the clip.
    window: its number, from 0; None: the whole clip, or the joining of its windows.
  """

  job: Job
  window: int | None = None

  @property
  def folder(self) -> Path:
    """Where its run writes."""
    if self.window is None:
      return self.job.output
    return WindowFolder(self.job.output, self.window).path

  @property
  def name(self) -> str:
    """What messages call it."""
    part = "" if self.window is None else f", window {self.window + 1}"
    return f"{self.job.name}{part}"


class Split(NamedTuple):
  """Instead of an outcome: the clip has windows, which are steps of their own.

  Attributes:
    windows: the numbers of those that are left.
  """

  windows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Surroundings:
  """What a task needs to know of the command that sent it.

  Attributes:
    mark: a file that the command wrote; a node that does not see it does not share
      the folder.
    version: of dipvid_jax there.
    cpus: threads of the task.
    gpus: the task's share of GPUs.
    deterministic: see `set_up_jax`.
  """

  mark: Path
  version: str
  cpus: int
  gpus: float
  deterministic: bool = False


@functools.cache
def own_version() -> str:
  """The version of dipvid_jax that is installed here."""
  return metadata.version("dipvid_jax")


def take_step(step: Step, surroundings: Surroundings) -> Outcome | Split:
  """Runs a step; what goes wrong with the clip is its outcome.

  Args:
    step: to take.
    surroundings: of the command.

  Returns:
    The outcome of the clip or window, or the windows to take first. The notes of
    failures begin with the node's name.

  Raises:
    JaxRuntimeError: this node's device has stopped working.
  """
  _end_with_parent()
  outcome: Outcome | Split
  if line := _misfit(step.job, surroundings):
    outcome = outcome_of(step.job, "failed")._replace(note=line)
  else:
    _set_up(step.job, surroundings)
    outcome = _take(step)
  if isinstance(outcome, Outcome) and outcome.state == "failed":
    return outcome._replace(note=f"node {socket.gethostname()}: {outcome.note}")
  return outcome


def _misfit(job: Job, surroundings: Surroundings) -> str:
  """Why this node cannot take part; empty if it can. The mark has served then."""
  try:
    surroundings.mark.unlink()
  except OSError:
    return (
      f"{job.output} is not the folder that the command sees; mount the shared folder"
      " at the same place on every node"
    )
  if own_version() != surroundings.version:
    return (
      f"has dipvid_jax {own_version()}, the command {surroundings.version}; install"
      " the same version on every node"
    )
  return ""


def _set_up(job: Job, surroundings: Surroundings) -> None:
  gpus = surroundings.gpus
  if not gpus:
    jax.config.update("jax_platforms", "cpu")
  elif gpus < 1:
    share_device(gpus)
  set_up_command(
    deterministic=surroundings.deterministic,
    threads=recorded_threads(job.output) or surroundings.cpus,
  )


def _take(step: Step) -> Outcome | Split:
  job, number = step.job, step.window
  if number is not None:
    return attempt(job, lambda: run_window(job.config, number))
  split: list[int] = []

  def work() -> None:
    if job.config.windows.window is not None:
      split.extend(open_windows(job.config))
    if not split:
      run(job.config, resume=None)

  outcome = attempt(job, work)
  if outcome.state == "done" and split:
    return Split(tuple(split))
  return outcome


def _end_with_parent() -> None:
  """Ends this process when its node's does: nobody would hear of its results.

  Ray ends the workers of a node that dies; a worker whose node lost the head goes on
  to the end of its task otherwise, while the clip may have begun on another node.
  """
  parent = os.getppid()

  def watch() -> None:
    while os.getppid() == parent:
      time.sleep(_LOOK)
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()
