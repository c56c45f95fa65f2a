"""A whole run: files in, a folder of results out."""

from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config
from dipvid_jax.runs.clip_training import inpaint_windows
from dipvid_jax.runs.finishing import finish, rehearse
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.occupancy import check_inputs
from dipvid_jax.runs.plan import plan_run
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.source import check_source, read_by
from dipvid_jax.runs.threads import describe_other, threads_record
from dipvid_jax.storage.atomic import naming
from dipvid_jax.storage.locks import check_free
from dipvid_jax.terminal import say


def run(
  config: Config,
  *,
  overwrite: bool = False,
  resume: bool = False,
  recipe: str | Path | None = None,
) -> Path:
  """Inpaints the config's video and writes the results into its output folder.

  Everything that can be wrong with the input is found before the folder is touched.

  Args:
    config: from `load_config`, with output set, and video and mask, or tfds and
      video_id.
    overwrite: remove what another run wrote into the folder, and nothing else.
    resume: continue the folder's run from its latest checkpoint.
    recipe: the file that the config comes from, which is not written over.

  Returns:
    The output folder.

  Raises:
    InputError: bad input, in one line.
    DivergedError: a loss is not finite; the checkpoints are kept.
    UnfinishedError: a result cannot be made from the trained frames; the others are
      written, and `resume` makes it.
    OSError: a file cannot be written, most often because the disk is full; what was
      written before is kept, and `resume` continues.
  """
  check_source(config.source)
  if not config.output.folder:
    raise InputError("--output is missing; see --help")
  folder = RunFolder(config.output.folder)
  check_free(folder.path)
  check_inputs(folder.path, read_by(config, recipe=recipe))
  folder.check(overwrite=overwrite, resume=resume)
  report = RunReport(
    folder, stopping=config.stopping, preview_every=config.output.preview_every
  )
  plan = plan_run(config)
  report.lap("reading")
  with folder.claim(overwrite=overwrite, resume=resume):
    if left_out := rehearse(plan, folder):
      say(left_out)
    record = config.to_dict() | plan.fingerprint() | threads_record()
    folder.create(record, resume=resume)
    if resume and (line := describe_other(folder.path)):
      say(f"{folder.path}: {line}")
    with naming(folder.path):
      report.begin(plan, resume=resume)
      inpaint_windows(plan, folder, report, resume=resume)
      finish(plan, folder, report, said=left_out)
  return folder.path
