"""A clip of a list, and what became of it."""

from pathlib import Path
from typing import Literal, NamedTuple

from dipvid_jax.method.config import Config

State = Literal["done", "failed", "running", "waiting"]
"""Of a clip: "running" if another command has it, "waiting" before it is settled."""


class Job(NamedTuple):
  """A clip of a list.

  Attributes:
    config: its run's, with output set, and video and mask, or tfds and video_id.
    line: its line in the manifest; 0 without one.
  """

  config: Config
  line: int = 0

  @property
  def output(self) -> Path:
    """The folder of its results."""
    return Path(self.config.output.folder or "")

  @property
  def name(self) -> str:
    """What messages call it."""
    return f"line {self.line}" if self.line else str(self.output)


class Outcome(NamedTuple):
  """What became of a clip.

  Attributes:
    line: its line in the manifest; 0 without one.
    output: the folder of its results.
    state: see `State`.
    note: why it failed, or who runs it.
    seconds: how long this command spent on it.
  """

  line: int
  output: str
  state: State
  note: str = ""
  seconds: float = 0.0


def outcome_of(job: Job, state: State) -> Outcome:
  """An outcome without a note."""
  return Outcome(job.line, str(job.output), state)
