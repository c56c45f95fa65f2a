"""One attempt at a clip: it is skipped, run, or its failure becomes one line."""

import functools
import time
import traceback
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError

from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.errors import BusyError, DivergedError, InputError, UnfinishedError
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.run import run
from dipvid_jax.storage.locks import check_free
from dipvid_jax.terminal import say

# Errors that a clip itself can cause; anything else is a bug, whose traceback is shown
# before the next clip.
_EXPECTED = (
  InputError,
  DivergedError,
  UnfinishedError,
  OSError,
  MemoryError,
  JaxRuntimeError,
)


def attempt(job: Job, work: Callable[[], object] | None = None) -> Outcome:
  """Makes a clip's results, or continues them, unless they are there.

  Args:
    job: the clip.
    work: makes a part of the results; None: all of them.

  Returns:
    The outcome: "done", also where nothing was left to do; "failed" with the reason in
    one line; "running" where another command writes to the folder.

  Raises:
    JaxRuntimeError: the device has stopped working; the clip is not to blame.
  """
  begun = time.monotonic()
  outcome = outcome_of(job, "done")
  try:
    if RunFolder(job.output).is_finished(job.config.to_dict()):
      return outcome
    check_free(job.output)
    say(f"{job.name}: {job.output}" if job.line else f"{job.output}")
    (work or functools.partial(run, job.config, resume=None))()
  except BusyError as error:
    return outcome._replace(state="running", note=str(error))
  except Exception as error:
    if isinstance(error, JaxRuntimeError) and not _device_works_after(error):
      raise
    if not isinstance(error, _EXPECTED):
      traceback.print_exc()
    outcome = outcome._replace(state="failed", note=one_line(error))
    say(f"{job.name}: failed: {outcome.note}")
  return outcome._replace(seconds=time.monotonic() - begun)


def _device_works_after(error: JaxRuntimeError) -> bool:
  """Whether the device still computes: some errors break all later computation."""
  if str(error).startswith("RESOURCE_EXHAUSTED"):  # freed when the run ends
    return True
  try:
    return bool(jax.block_until_ready(jnp.ones(()) + 1) == 2)
  except JaxRuntimeError:
    return False


def one_line(error: BaseException) -> str:
  """An error in one line, its kind as well unless the words are meant for users."""
  if isinstance(error, OSError) and error.filename:
    return f"{error.filename}: {error.strerror}"
  text = (str(error).strip().splitlines() or [""])[0]
  if isinstance(error, InputError | DivergedError | UnfinishedError):
    return text
  return f"{type(error).__name__}: {text}" if text else type(error).__name__
