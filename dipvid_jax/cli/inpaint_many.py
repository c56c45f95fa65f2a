"""`bin/inpaint --manifest`: a list of clips."""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from jax.errors import JaxRuntimeError

from dipvid_jax.cli.command import BAD_INPUT, DONE, FAILED, run_command
from dipvid_jax.cli.sizes import parse_size_or_input
from dipvid_jax.clip_lists.claims import TIMEOUT
from dipvid_jax.clip_lists.cluster import Place, take_place
from dipvid_jax.clip_lists.manifest import ManifestRow, read_manifest
from dipvid_jax.clip_lists.worker import (
  Job,
  Outcome,
  Worker,
  check_summary,
  outcome_table,
  write_outcomes,
)
from dipvid_jax.errors import InputError
from dipvid_jax.jax_setup import check_device
from dipvid_jax.method.config import CONFIG_KEYS, Config
from dipvid_jax.method.overrides import read_config
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.runs.source import check_source, read_by


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of a list of clips."""
  group = parser.add_argument_group("many clips")
  group.add_argument(
    "--manifest",
    metavar="CSV",
    help="a list instead of --video, --mask and --output: its first line names the "
    "columns video, mask, output (or tfds, video_id, output) and any key of the "
    "config; paths are relative to its folder. Finished clips are skipped; the same "
    "command may run many times at once, on one machine or several",
  )
  group.add_argument(
    "--distributed",
    action="store_true",
    help="a process of a Slurm, Open MPI or Kubernetes job: takes one GPU of its "
    "machine, and begins at its own place in the list",
  )
  group.add_argument(
    "--summary",
    metavar="CSV",
    help="also write the outcome of each clip into this file",
  )
  group.add_argument(
    "--claim-timeout",
    type=float,
    default=TIMEOUT,
    metavar="SECONDS",
    help="a worker on another machine that gives no sign of life for this long is "
    f"lost, and others may take its clip (default: {TIMEOUT:.0f}; the same for all)",
  )


def main(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, object],
  overrides: Sequence[str],
) -> int:
  """Runs the list.

  Args:
    arguments: the flags.
    given: config keys that flags set for every clip of the list.
    overrides: `--config.KEY=VALUE` for every clip of the list.

  Returns:
    The exit code.
  """
  jobs: list[Job] = []
  place = Place(0, 1)

  def read() -> None:
    nonlocal place
    _check_flags(arguments, given)
    if arguments.summary:
      check_summary(Path(arguments.summary))
    if arguments.distributed:
      place = take_place()
    check_device()
    jobs.extend(read_jobs(arguments, given=given, overrides=overrides))

  if run_command("inpaint", read) != DONE:
    return BAD_INPUT
  first = len(jobs) * (place.index % place.count) // place.count
  worker = Worker(jobs, first=first, timeout=arguments.claim_timeout)
  code = _work(worker)
  outcomes = worker.outcomes()
  print(outcome_table(outcomes))
  if arguments.summary:
    code = (
      run_command("inpaint", lambda: _summarise(arguments.summary, outcomes)) or code
    )
  return code or int(any(outcome.state != "done" for outcome in outcomes))


def _work(worker: Worker) -> int:
  try:
    return run_command("inpaint", worker.work, resume="the same command continues")
  except JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    print(f"inpaint: the device has stopped working ({reason})", file=sys.stderr)
    return FAILED


def _summarise(path: str, outcomes: Sequence[Outcome]) -> None:
  try:
    write_outcomes(Path(path), outcomes)
  except OSError as error:
    raise OSError(error.errno, error.strerror, f"--summary {path}") from error


def read_jobs(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, object],
  overrides: Sequence[str],
) -> list[Job]:
  """Reads the manifest and every clip's config, so that all errors come first.

  Args:
    arguments: the flags.
    given: as `main`.
    overrides: as `main`.

  Returns:
    The jobs.

  Raises:
    InputError: one line that names the file and its line.
  """
  path = Path(arguments.manifest)
  read_config(arguments.config, overrides)  # wrong flags are not the manifest's fault
  jobs = []
  for row in read_manifest(path, keys=CONFIG_KEYS.keys()):
    try:
      config = _row_config(row, arguments.config, given, overrides)
      check_source(config.source)
      inputs = read_by(config, recipe=row.config or arguments.config)
      check_inputs(row.output, {**inputs, "--manifest": path})
    except InputError as error:
      raise InputError(f"{path}, line {row.line}: {error}") from error
    jobs.append(Job(row.line, row.output, config))
  return jobs


def _row_config(
  row: ManifestRow, name: str, given: Mapping[str, object], overrides: Sequence[str]
) -> Config:
  """The command's settings, then the row's."""
  settings = dict(row.settings)
  if "size" in settings:
    try:
      size = parse_size_or_input(settings["size"])
    except argparse.ArgumentTypeError as error:
      raise InputError(f"size: {error}") from error
    settings["size"] = ",".join(map(str, size))
  words = [f"--config.{key}={value}" for key, value in settings.items()]
  values = {key: value for key, value in given.items() if key not in settings}
  values["output"] = str(row.output)
  return read_config(row.config or name, [*overrides, *words], values=values)


def _check_flags(arguments: argparse.Namespace, given: Mapping[str, object]) -> None:
  for key in ("video", "mask", "tfds", "video_id", "output"):
    if key in given:
      raise InputError(f"--manifest and --{key.replace('_', '-')} exclude each other")
  if arguments.overwrite or arguments.resume:
    raise InputError(
      "--manifest always continues what was begun; leave out --resume, and remove"
      " the outputs instead of --overwrite"
    )
  if not (math.isfinite(arguments.claim_timeout) and arguments.claim_timeout > 0):
    raise InputError(
      f"--claim-timeout: must be above 0 seconds, got {arguments.claim_timeout}"
    )
