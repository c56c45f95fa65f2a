"""`bin/inpaint --manifest` and `--ray`: a list of clips, here or on a cluster."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from jax.errors import JaxRuntimeError

from dipvid_jax.cli.command import BAD_INPUT, DONE, FAILED, run_command
from dipvid_jax.cli.sizes import parse_size_or_input
from dipvid_jax.clip_lists.inpaint_many import settle
from dipvid_jax.clip_lists.job import Job, Outcome, outcome_of
from dipvid_jax.clip_lists.manifest import ManifestRow, read_manifest
from dipvid_jax.clip_lists.summary import (
  check_summary,
  outcome_table,
  write_outcomes,
)
from dipvid_jax.errors import InputError
from dipvid_jax.jax_setup import check_device
from dipvid_jax.method.config import CONFIG_KEYS, Config
from dipvid_jax.method.overrides import read_config
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.runs.opening import named_folder
from dipvid_jax.runs.source import read_by


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of a list of clips."""
  group = parser.add_argument_group("many clips, many machines")
  group.add_argument(
    "--manifest",
    metavar="CSV",
    help="a list instead of --video, --mask and --output: its first line names the "
    "columns video, mask, output (or tfds, video_id, output) and any key of the "
    "config; paths are relative to its folder. Finished clips are skipped, begun ones "
    "continue",
  )
  group.add_argument(
    "--line",
    type=int,
    metavar="K",
    help="only the clip in line K of the manifest (the first clip is in line 2), as "
    "for an element of a Slurm array",
  )
  group.add_argument(
    "--summary",
    metavar="CSV",
    help="also write the outcome of each clip into this file",
  )
  group.add_argument(
    "--ray",
    metavar="local|auto|HOST:PORT",
    help="clips, and the windows of long ones, as tasks of Ray: on all GPUs of this "
    "machine, or of the cluster that it belongs to (needs dipvid_jax[ray])",
  )
  group.add_argument(
    "--gpus-per-clip",
    type=_positive_or_zero,
    metavar="N",
    help="GPUs of a task, also a part of one such as 0.5 (default: 1 if there are any)",
  )
  group.add_argument(
    "--cpus-per-clip",
    type=_positive,
    metavar="N",
    help="cores, and threads, of a task (default: a GPU's share of its machine; 4 "
    "without GPUs)",
  )


def _positive(text: str) -> int:
  number = int(text) if text.isdigit() else 0
  if not number:
    raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text}")
  return number


def _positive_or_zero(text: str) -> float:
  try:
    number = float(text)
  except ValueError:
    number = -1.0
  if not 0 <= number < float("inf") or (number > 1 and number != int(number)):
    raise argparse.ArgumentTypeError(
      f"must be 0, a part of 1, or a whole number, got {text}"
    )
  return number


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

  def read() -> None:
    _check_flags(arguments, given)
    if arguments.summary:
      check_summary(Path(arguments.summary))
    if arguments.ray is None:
      check_device()
    if arguments.manifest:
      jobs.extend(read_jobs(arguments, given=given, overrides=overrides))
    else:
      jobs.append(_read_clip(arguments, given=given, overrides=overrides))

  if run_command("inpaint", read) != DONE:
    return BAD_INPUT
  outcomes = [outcome_of(job, "waiting") for job in jobs]
  code = _work(arguments, jobs, outcomes)
  if code == BAD_INPUT:
    return code
  print(outcome_table(outcomes))
  if arguments.summary:
    code = (
      run_command("inpaint", lambda: _summarise(arguments.summary, outcomes)) or code
    )
  return code or int(any(outcome.state != "done" for outcome in outcomes))


def _work(
  arguments: argparse.Namespace, jobs: list[Job], outcomes: list[Outcome]
) -> int:
  """Works through the list; what is settled is in `outcomes`, also after an error."""

  def work() -> None:
    for index, outcome in settle(
      jobs,
      ray=arguments.ray,
      cpus_per_clip=arguments.cpus_per_clip,
      gpus_per_clip=arguments.gpus_per_clip,
      deterministic=arguments.deterministic,
    ):
      outcomes[index] = outcome

  try:
    return run_command("inpaint", work, resume="the same command continues")
  except JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    print(f"inpaint: the device has stopped working ({reason})", file=sys.stderr)
    return FAILED


def _summarise(path: str, outcomes: Sequence[Outcome]) -> None:
  try:
    write_outcomes(Path(path), outcomes)
  except OSError as error:
    raise OSError(error.errno, error.strerror, f"--summary {path}") from error


def _read_clip(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, object],
  overrides: Sequence[str],
) -> Job:
  """The clip that --video and --mask, or --tfds, name."""
  config = read_config(arguments.config, overrides, values=given)
  folder = named_folder(config)
  check_inputs(folder.path, read_by(config, recipe=arguments.config))
  return Job(config)


def read_jobs(
  arguments: argparse.Namespace,
  *,
  given: Mapping[str, object],
  overrides: Sequence[str],
) -> list[Job]:
  """Reads the manifest and its clips' configs, so that all errors come first.

  Args:
    arguments: the flags.
    given: as `main`.
    overrides: as `main`.

  Returns:
    The jobs: all, or the one that --line names.

  Raises:
    InputError: one line that names the file and its line.
  """
  path = Path(arguments.manifest)
  read_config(arguments.config, overrides)  # wrong flags are not the manifest's fault
  jobs = []
  for row in _picked(read_manifest(path, keys=CONFIG_KEYS.keys()), arguments):
    try:
      config = _row_config(row, arguments.config, given, overrides)
      folder = named_folder(config)
      inputs = read_by(config, recipe=row.config or arguments.config)
      check_inputs(folder.path, {**inputs, "--manifest": path})
    except InputError as error:
      raise InputError(f"{path}, line {row.line}: {error}") from error
    jobs.append(Job(config, row.line))
  return jobs


def _picked(
  rows: list[ManifestRow], arguments: argparse.Namespace
) -> list[ManifestRow]:
  if arguments.line is None:
    return rows
  picked = [row for row in rows if row.line == arguments.line]
  if not picked:
    raise InputError(
      f"--line {arguments.line}: no clip is in that line of {arguments.manifest}; they"
      f" are in lines {rows[0].line} to {rows[-1].line}"
    )
  return picked


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
  for flag in ("gpus_per_clip", "cpus_per_clip"):
    if arguments.ray is None and getattr(arguments, flag) is not None:
      raise InputError(f"--{flag.replace('_', '-')}: is of tasks; add --ray")
  if arguments.manifest:
    for key in ("video", "mask", "tfds", "video_id", "output"):
      if key in given:
        raise InputError(f"--manifest and --{key.replace('_', '-')} exclude each other")
  elif arguments.line is not None:
    raise InputError("--line: is of a list; add --manifest")
  if arguments.overwrite or arguments.resume:
    flag = "--manifest" if arguments.manifest else "--ray"
    raise InputError(
      f"{flag} always continues what was begun; leave out --resume, and remove"
      " the outputs instead of --overwrite"
    )
