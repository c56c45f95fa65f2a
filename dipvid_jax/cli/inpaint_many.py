"""`bin/inpaint --manifest`: a list of clips."""

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jax.errors import JaxRuntimeError

from dipvid_jax.cli.size_word import read_size
from dipvid_jax.clip_lists.claims import TIMEOUT
from dipvid_jax.clip_lists.cluster import Place, take_place
from dipvid_jax.clip_lists.manifest import ManifestRow, read_manifest
from dipvid_jax.clip_lists.worker import Job, Worker, outcome_table, write_outcomes
from dipvid_jax.errors import InputError
from dipvid_jax.method.config import check_config
from dipvid_jax.runs.source import check_source

MakeConfig = Callable[[str, list[str]], Any]


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of a list of clips."""
  group = parser.add_argument_group("many clips")
  group.add_argument("--manifest", metavar="CSV",
    help="a list instead of --video, --mask and --output: its first line names the "
    "columns video, mask, output (or tfds, video_id, output) and any key of the config; "
    "paths are relative to its folder. What is done is skipped; the same command may "
    "run many times at once, on one machine or several")  # fmt: skip
  group.add_argument("--distributed", action="store_true",
    help="a process of a Slurm, Open MPI or Kubernetes job: takes one GPU of its "
    "machine, and begins at its own place in the list")  # fmt: skip
  group.add_argument("--summary", metavar="CSV",
    help="write what became of each clip into this file, too")  # fmt: skip
  group.add_argument("--claim-timeout", type=float, default=TIMEOUT, metavar="SECONDS",
    help="a worker on another machine without a sign of life for so long is lost, and "
    f"its clip another's (default: {TIMEOUT:.0f}; the same for all)")  # fmt: skip


def main(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, Any],
  make_config: MakeConfig,
) -> int:
  """Runs the list.

  Args:
    arguments: the flags.
    given: config keys that flags set for every clip of the list.
    make_config: loads a config by name and sets `--config.KEY=VALUE` in it.

  Returns:
    The exit code.
  """
  try:
    _check_flags(arguments, given)
    place = take_place() if arguments.distributed else Place(0, 1)
    jobs = read_jobs(arguments, given=given, make_config=make_config)
  except InputError as error:
    print(f"inpaint: {error}", file=sys.stderr)
    return 2
  first = len(jobs) * (place.index % place.count) // place.count
  worker = Worker(jobs, first=first, timeout=arguments.claim_timeout)
  code = 0
  try:
    worker.work()
  except KeyboardInterrupt:
    print("inpaint: interrupted; the same command goes on", file=sys.stderr)
    code = 130
  except JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    print(f"inpaint: the device has stopped working ({reason})", file=sys.stderr)
    code = 1
  outcomes = worker.outcomes()
  print(outcome_table(outcomes))
  if arguments.summary:
    try:
      write_outcomes(Path(arguments.summary), outcomes)
    except OSError as error:
      print(
        f"inpaint: --summary {arguments.summary}: {error.strerror}", file=sys.stderr
      )
      code = code or 1
  return code or int(any(outcome.state != "done" for outcome in outcomes))


def read_jobs(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, Any],
  make_config: MakeConfig,
) -> list[Job]:
  """Reads the manifest and makes every clip's config, so that no error comes late.

  Args:
    arguments: the flags.
    given: as `main`.
    make_config: as `main`.

  Returns:
    The jobs.

  Raises:
    InputError: one line that names the file and its line.
  """
  path = Path(arguments.manifest)
  keys = _keys(make_config(arguments.config, []).to_dict())
  jobs = []
  for row in read_manifest(path, keys=keys):
    try:
      config = _row_config(row, arguments.config, given, make_config)
      check_source(config)
      check_config(config)
    except InputError as error:
      raise InputError(f"{path}, line {row.line}: {error}") from error
    jobs.append(Job(row.line, config))
  return jobs


def _keys(config: Mapping[str, Any]) -> set[str]:
  """The keys that hold values, those of a config in the config with a dot."""
  return {
    f"{key}.{inner}" if inner else key
    for key, value in config.items()
    for inner in (value if isinstance(value, dict) else ("",))
  }


def _row_config(row: ManifestRow, name: str, given, make_config) -> Any:
  """The command's settings, then the row's."""
  settings = dict(row.settings)
  if "size" in settings:
    try:
      settings["size"] = ",".join(map(str, read_size(settings["size"])))
    except argparse.ArgumentTypeError as error:
      raise InputError(f"size: {error}") from error
  overrides = [f"--config.{key}={value}" for key, value in settings.items()]
  config = make_config(row.config or name, overrides)
  for key, value in given.items():
    if key not in row.settings:
      config[key] = value
  config.output = str(row.output)
  return config


def _check_flags(arguments, given) -> None:
  for key in ("video", "mask", "tfds", "video_id", "output"):
    if key in given:
      raise InputError(f"--manifest and --{key.replace('_', '-')} exclude each other")
  if arguments.overwrite or arguments.resume:
    raise InputError(
      "--manifest always goes on with what was begun; leave out --resume, and remove"
      " the outputs to --overwrite"
    )
  if not (math.isfinite(arguments.claim_timeout) and arguments.claim_timeout > 0):
    raise InputError(
      f"--claim-timeout: must be above 0 seconds, got {arguments.claim_timeout}"
    )
