"""Whether a run may write into its output folder: asked before its input is read."""

from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.runs.source import check_is_path, check_source, read_by
from dipvid_jax.storage.locks import check_free


def named_folder(config: Config) -> RunFolder:
  """The output folder of a config that names a clip.

  Raises:
    InputError: it names none or an address, or no clip.
  """
  check_source(config.source)
  if not config.output.folder:
    raise InputError("--output is missing; see --help")
  check_is_path("--output", config.output.folder)
  return RunFolder(config.output.folder)


def check_may_write(
  folder: RunFolder,
  config: Config,
  *,
  overwrite: bool,
  resume: bool | None,
  recipe: str | Path | None,
) -> None:
  """Checks a folder as it is now; `RunFolder.claim` does it again.

  Args:
    folder: of the run.
    config: of the run.
    overwrite, resume, recipe: as `run` has them.

  Raises:
    BusyError: another run is writing there.
    InputError: the run would write over its input, another run or files of the user's.
  """
  check_free(folder.path)
  check_inputs(folder.path, read_by(config, recipe=recipe))
  folder.check(overwrite=overwrite, resume=resume)
