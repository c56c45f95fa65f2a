"""Windows of a long clip as runs of their own, which may be anywhere and in any order.

`open_windows` begins the clip's run and names its windows, `run_window` runs one of
them, and an ordinary `run` joins what they have made, with the result of a run that
does all windows itself.
"""

from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.method.config import Config
from dipvid_jax.runs.config_file import CONFIG_NAME, check_same_config
from dipvid_jax.runs.finishing import rehearse
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.opening import check_may_write, named_folder
from dipvid_jax.runs.plan import RunPlan, plan_run
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.window_arrays import make_arrays
from dipvid_jax.runs.window_folder import WindowFolder
from dipvid_jax.runs.windows import Arrays, Window
from dipvid_jax.storage.atomic import naming
from dipvid_jax.storage.checkpoint_steps import latest_step
from dipvid_jax.storage.locks import check_free
from dipvid_jax.terminal import say


def open_windows(
  config: Config, *, overwrite: bool = False, recipe: str | Path | None = None
) -> list[int]:
  """Begins a clip's run, or finds it begun, and names the windows to be run alone.

  Args:
    config: as `run` takes it.
    overwrite: remove what another run wrote into the folder, and nothing else.
    recipe: the file that the config comes from, which is not written over.

  Returns:
    The numbers, from 0, of windows with a hole that are neither done nor begun by a
    run of the whole clip. Empty where the clip is one window, or nothing is left for
    runs of windows; `run(config, resume=None)` then does the rest.

  Raises:
    InputError: as `run`; or a window's folder holds a run of another config.
    BusyError: another run is writing to the folder.
    OSError: a file cannot be written.
  """
  folder = named_folder(config)
  if folder.resumes(overwrite=overwrite, resume=None) and folder.is_finished(
    config.to_dict()
  ):
    return []
  check_may_write(folder, config, overwrite=overwrite, resume=None, recipe=recipe)
  plan = plan_run(config)
  if len(plan.windows) == 1:
    return []
  settings = plan.settings()
  with folder.claim(overwrite=overwrite, resume=None) as resumes:
    if not resumes and (left_out := rehearse(plan, folder)):
      say(left_out)
    folder.create(settings, resume=resumes)
    if not folder.written.read():  # of a version without lists: nothing can be moved
      return []
    return [
      window.number
      for window in plan.trained_windows
      if _is_left(window, plan, folder, settings)
    ]


def _is_left(
  window: Window, plan: RunPlan, folder: RunFolder, settings: dict[str, object]
) -> bool:
  part, of = WindowFolder(folder.path, window.number), len(plan.windows)
  if part.is_finished(settings) or folder.read_tail(window, of=of) is not None:
    return False
  states = folder.window_files(window.number, of=of).checkpoints
  return part.holds_run() or latest_step(states) is None


def run_window(config: Config, number: int) -> None:
  """Runs one window of a clip in a folder of its own, or continues its run there.

  A window that is done already, or joined to its clip, is left as it is.

  Args:
    config: as `open_windows` had it.
    number: of the window, from 0, one of those that `open_windows` named.

  Raises:
    InputError: bad input, in one line; or the output folder holds no run of this
      config; or another run has taken the window's folder over.
    BusyError: another run is writing to the window's folder, or to the clip's.
    DivergedError: a loss is not finite; the checkpoints are kept.
    OSError: a file cannot be written.
  """
  folder = named_folder(config)
  part = WindowFolder(folder.path, number)
  if part.is_finished(config.to_dict()):
    return
  check_free(folder.path)
  check_free(part.path)
  if not folder.holds_run():
    raise InputError(
      f"--output {folder.path}: holds no run of which window {number} could be a part;"
      " begin it first"
    )
  check_same_config(folder.path / CONFIG_NAME, config.to_dict())
  plan = plan_run(config)
  window = _find_window(plan, number)
  settings = plan.settings()
  check_same_config(folder.path / CONFIG_NAME, settings)
  with part.claim(overwrite=False, resume=None) as resumes:
    if folder.read_tail(window, of=len(plan.windows)) is not None:
      part.discard()
    elif not part.is_finished(settings):
      part.create(settings, resume=resumes)
      finish_window(plan, window, part, resume=resumes)


def _find_window(plan: RunPlan, number: int) -> Window:
  numbers = [window.number for window in plan.trained_windows]
  if len(plan.windows) == 1 or number not in numbers:
    raise InputError(
      f"--output {plan.config.output.folder}: window {number} cannot be run alone, only"
      f" {', '.join(map(str, numbers)) if len(plan.windows) > 1 else 'the whole clip'}"
    )
  return plan.windows[number]


def finish_window(
  plan: RunPlan, window: Window, part: WindowFolder, *, resume: bool
) -> Arrays:
  """Runs what is left of a window in a folder of its own.

  Args:
    plan: of the whole clip.
    window: of the plan.
    part: of the window's run, claimed and created.
    resume: the window's run is resumed.

  Returns:
    The window's arrays, which are in the folder now.
  """
  alone = plan._replace(only=window.number)
  output = plan.config.output
  report = RunReport(
    part, stopping=plan.config.stopping, preview_every=output.preview_every
  )
  with naming(part.path):
    report.begin(alone, resume=resume)
    arrays = make_arrays(alone, window, part, report, resume=resume)
    report.end_window()
    part.save(arrays)
  return arrays
