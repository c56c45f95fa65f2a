"""Works through a list of clips one by one, alongside other workers."""

import csv
import io
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError

from dipvid_jax.clip_lists.claims import TIMEOUT, ClaimLost, Claims
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.method.config import Config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run import run
from dipvid_jax.storage.atomic import replacing
from dipvid_jax.storage.locks import check_free
from dipvid_jax.terminal import say

# Errors that a clip itself can cause; anything else is a bug, whose traceback is shown
# before the next clip.
_EXPECTED = (InputError, DivergedError, OSError, MemoryError, JaxRuntimeError)
_POLLS = 12  # per timeout, while waiting for the clips of other workers


class Job(NamedTuple):
  """A clip of the list.

  Attributes:
    line: its line in the manifest.
    output: the folder of its results.
    config: its run's config.
  """

  line: int
  output: Path
  config: Config


class Outcome(NamedTuple):
  """The outcome of a clip.

  Attributes:
    line: its line in the manifest.
    output: the folder of its results.
    state: "done", "failed", "running" if another worker has it, or "waiting".
    note: why it failed, or who runs it.
    seconds: how long this worker spent on it.
  """

  line: int
  output: str
  state: Literal["done", "failed", "running", "waiting"]
  note: str = ""
  seconds: float = 0.0


class RunClip(Protocol):
  """Like `run`."""

  def __call__(self, config: Config, *, resume: bool) -> object:
    """Makes a clip's results, or resumes its run."""


class Worker:
  """Works through a list; others may work on the same list at the same time.

  Finished clips are skipped, unfinished ones resume from their checkpoints, failures
  are recorded. Only the next command tries a failed clip again.
  """

  def __init__(
    self,
    jobs: Sequence[Job],
    *,
    first: int = 0,
    timeout: float = TIMEOUT,
    run_clip: RunClip = run,
  ):
    """Reads the claims that exist.

    Args:
      jobs: the list, the same for all workers.
      first: the index to begin at; the list wraps around.
      timeout: see `Claims`.
      run_clip: makes the results of one clip.
    """
    self._jobs = jobs
    self._order = [*jobs[first:], *jobs[:first]]
    self._claims = {job.line: Claims(job.output, timeout=timeout) for job in jobs}
    self._settled: dict[int, Outcome] = {}
    self._pause = timeout / _POLLS
    self._run_clip = run_clip

  def work(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Runs until every clip is done or has failed, here or in another worker.

    It waits while others have the last clips: if a worker dies, another can take its
    clip at once.

    Args:
      sleep: waits for a number of seconds.

    Raises:
      JaxRuntimeError: the device has stopped working; others may take its clip.
    """
    told = False
    while left := [job for job in self._order if job.line not in self._settled]:
      settled = len(self._settled)
      for job in left:
        if outcome := self._attempt(job):
          self._settled[job.line] = outcome
      if len(self._settled) > settled:
        continue
      if not told:
        clips = f"{len(left)} clip{'s' * (len(left) > 1)}"
        say(f"waiting for {clips} of other workers")
        told = True
      sleep(self._pause)

  def outcomes(self) -> list[Outcome]:
    """The outcome of every clip so far, in the order of the list."""
    return [self._settled.get(job.line) or self._standing(job) for job in self._jobs]

  def _standing(self, job: Job) -> Outcome:
    outcome = Outcome(job.line, str(job.output), "waiting")
    if holder := self._claims[job.line].holder():
      return outcome._replace(state="running", note=holder)
    if _is_written_to(job):
      return outcome._replace(state="running", note="by a separate command")
    return outcome

  def _attempt(self, job: Job) -> Outcome | None:
    """Runs a clip unless it is done or another worker's; None: not settled yet."""
    claims = self._claims[job.line]
    outcome = Outcome(job.line, str(job.output), "done")
    try:
      if RunFolder(job.output).is_finished(job.config.to_dict()):
        return outcome
      if (reason := claims.failure()) is not None:
        return outcome._replace(state="failed", note=reason)
      claim = None if _is_written_to(job) else claims.take()
      if claim is None:
        return None
      begun = time.monotonic()
      with claim:
        reason = self._run(job)
        if reason is None:
          claim.finish()
        else:
          claim.fail(reason)
    except ClaimLost:
      say(f"line {job.line}: another worker has taken over {job.output}")
      return None
    except (InputError, OSError) as error:  # of the folder or of the claim
      return outcome._replace(state="failed", note=_one_line(error))
    outcome = outcome._replace(seconds=time.monotonic() - begun)
    return outcome if reason is None else outcome._replace(state="failed", note=reason)

  def _run(self, job: Job) -> str | None:
    """Runs a claimed clip; returns why it failed, or None."""
    folder = RunFolder(job.output)
    try:
      if folder.is_finished(job.config.to_dict()):  # since the last check
        return None
      say(f"line {job.line}: {job.output}")
      self._run_clip(job.config, resume=folder.holds_run())
    except Exception as error:
      if isinstance(error, JaxRuntimeError) and not _device_works_after(error):
        raise
      if not isinstance(error, _EXPECTED):
        traceback.print_exc()
      reason = _one_line(error)
      say(f"line {job.line}: failed: {reason}")
      return reason
    return None


def _is_written_to(job: Job) -> bool:
  """Whether a run holds the folder; without a claim it is not one of the list."""
  try:
    check_free(job.output)
  except InputError:
    return True
  return False


def _device_works_after(error: JaxRuntimeError) -> bool:
  """Whether the device still computes: some errors break all later computation."""
  if str(error).startswith("RESOURCE_EXHAUSTED"):  # freed when the run ends
    return True
  try:
    return bool(jax.block_until_ready(jnp.ones(()) + 1) == 2)
  except JaxRuntimeError:
    return False


def _one_line(error: BaseException) -> str:
  if isinstance(error, OSError) and error.filename:
    return f"{error.filename}: {error.strerror}"
  text = (str(error).strip().splitlines() or [""])[0]
  if isinstance(error, InputError | DivergedError):
    return text
  return f"{type(error).__name__}: {text}" if text else type(error).__name__


def outcome_table(outcomes: Sequence[Outcome]) -> str:
  """The outcomes of a list, for the terminal.

  Args:
    outcomes: of all clips.

  Returns:
    A line with the counts, then one for each clip that is not done, with the reason.
  """
  counts = {
    state: sum(outcome.state == state for outcome in outcomes)
    for state in ("done", "failed", "running", "waiting")
  }
  shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
  lines = [f"{len(outcomes)} clip{'s' * (len(outcomes) > 1)}: {shown}"]
  rows = [
    (f"line {outcome.line}", outcome.state, outcome.output, outcome.note)
    for outcome in outcomes
    if outcome.state != "done"
  ]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
  for *cells, note in rows:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    lines.append("  ".join((*padded, note)).rstrip())
  return "\n".join(lines)


def check_summary(path: Path) -> None:
  """Checks, before the work, that outcomes can be written and replace nothing else.

  Args:
    path: the file for them.

  Raises:
    InputError: its folder is missing, or it holds something else than outcomes.
  """
  if not path.parent.is_dir():
    raise InputError(f"--summary {path}: there is no folder {path.parent}")
  if not path.exists():
    return
  try:
    with path.open("rb") as file:
      first = file.readline()
  except OSError as error:
    raise InputError(f"--summary {path}: {error.strerror}") from error
  if first.strip() != ",".join(Outcome._fields).encode():
    raise InputError(
      f"--summary {path}: holds something else than outcomes; name another file"
    )


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
  """Writes the outcomes of a list as CSV, whole or not at all.

  Args:
    path: the file.
    outcomes: of all clips.

  Raises:
    OSError: it cannot be written.
  """
  text = io.StringIO(newline="")
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(Outcome._fields)
  writer.writerows(
    outcome._replace(seconds=round(outcome.seconds, 1)) for outcome in outcomes
  )
  with replacing(path) as partial:
    partial.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")
