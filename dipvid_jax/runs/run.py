"""A whole run: files in, a folder of results out."""

from collections.abc import Mapping
from pathlib import Path

from dipvid_jax.method.config import Config
from dipvid_jax.runs.clip_training import check_own_runs, inpaint_windows
from dipvid_jax.runs.finishing import finish, rehearse
from dipvid_jax.runs.opening import check_may_write, named_folder
from dipvid_jax.runs.plan import plan_run
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.threads import describe_other
from dipvid_jax.storage.atomic import naming
from dipvid_jax.terminal import say


def run(
  config: Config,
  *,
  overwrite: bool = False,
  resume: bool | None = False,
  recipe: str | Path | None = None,
) -> Path:
  """Inpaints the config's video and writes the results into its output folder.

  Everything that can be wrong with the input is found before the folder is touched.

  Args:
    config: from `load_config`, with output set, and video and mask, or tfds and
      video_id.
    overwrite: remove what another run wrote into the folder, and nothing else.
    resume: continue the folder's run from its latest checkpoint. None: whatever the
      folder holds; a run is begun, or continued, or, where one of this config is
      finished, nothing is done.
    recipe: the file that the config comes from, which is not written over.

  Returns:
    The output folder.

  Raises:
    InputError: bad input, in one line; or another run has taken the folder over.
    BusyError: another run is writing to the folder.
    DivergedError: a loss is not finite; the checkpoints are kept.
    UnfinishedError: a result cannot be made from the trained frames; the others are
      written, and `resume` makes it.
    OSError: a file cannot be written, most often because the disk is full; what was
      written before is kept, and `resume` continues.
  """
  folder = named_folder(config)

  def is_settled(settings: Mapping[str, object]) -> bool:
    """Whether nothing is left to do, where the folder decides."""
    decides = resume is None and folder.resumes(overwrite=overwrite, resume=None)
    return decides and folder.is_finished(settings)

  if is_settled(config.to_dict()):
    return folder.path
  check_may_write(folder, config, overwrite=overwrite, resume=resume, recipe=recipe)
  report = RunReport(
    folder, stopping=config.stopping, preview_every=config.output.preview_every
  )
  plan = plan_run(config)
  settings = plan.settings()
  report.lap("reading")
  with folder.claim(overwrite=overwrite, resume=resume) as resumes:
    if is_settled(settings):  # by another run, while this one read its input
      return folder.path
    if resumes or not overwrite:
      check_own_runs(plan, folder, settings)
    if left_out := rehearse(plan, folder):
      say(left_out)
    folder.create(settings, resume=resumes)
    if resumes and (line := describe_other(folder.path)):
      say(f"{folder.path}: {line}")
    with naming(folder.path):
      report.begin(plan, resume=resumes)
      inpaint_windows(plan, folder, report, resume=resumes)
      finish(plan, folder, report, said=left_out)
  return folder.path
