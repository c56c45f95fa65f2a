"""All that is settled before a run writes anything: input, windows, program."""

import functools
import hashlib
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.video_writing import check_largest
from dipvid_jax.method.config import Config, needed_frames
from dipvid_jax.method.program import (
  Program,
  build_program,
  clip_strides,
  describe_work,
)
from dipvid_jax.method.requirements import (
  as_measured,
  check_fits,
  describe,
  free_memory,
)
from dipvid_jax.method.xla_memory import training_bytes
from dipvid_jax.runs.config_file import INPUT_FINGERPRINT
from dipvid_jax.runs.source import Source, read_source, source_name
from dipvid_jax.runs.threads import threads_record
from dipvid_jax.runs.windows import Window, plan_windows
from dipvid_jax.terminal import say
from flow import Estimator, make_estimator


class RunPlan(NamedTuple):
  """A run that can begin.

  Attributes:
    config: its settings.
    source: the input.
    windows: of the clip, in order.
    program: for a window's frames.
    estimator: of the known flow.
    only: the number of the one window that this run is limited to; None: no limit.
  """

  config: Config
  source: Source
  windows: list[Window]
  program: Program
  estimator: Estimator
  only: int | None = None

  @property
  def trained_windows(self) -> list[Window]:
    """The windows of this run that have a hole; an only window is always trained."""
    trained = _trained_windows(self.source, self.windows)
    return [window for window in trained if self.only in (None, window.number)]

  def window_label(self, window: Window) -> str:
    """Names a window on the terminal; empty where it is the only one."""
    count = len(self.windows)
    return f"window {window.number + 1}/{count}" if count > 1 else ""

  def settings(self) -> dict[str, object]:
    """What `config.json` holds: the config, the input's fingerprint, and the threads.

    The fingerprint tells this input from any other, whatever the files are called.
    """
    digest = hashlib.sha256(np.ascontiguousarray(self.source.video.frames).data)
    digest.update(np.ascontiguousarray(self.source.masks).data)
    fingerprint = {INPUT_FINGERPRINT: digest.hexdigest()}
    return self.config.to_dict() | fingerprint | threads_record()


def plan_run(config: Config) -> RunPlan:
  """Reads the input and checks that every window can be trained on.

  Says what the run needs.

  Args:
    config: the run's settings; its source has passed `check_source`.

  Returns:
    The plan.

  Raises:
    InputError: bad input, in one line.
  """
  source = read_source(config)
  name = source_name(config.source)
  check_largest(name, source.video.frames.shape[1:3])
  for remark in source.video.remarks:
    say(f"{name}: {remark}")
  windows = plan_windows(
    len(source.holes), length=config.windows.window, overlap=config.windows.overlap
  )
  _check_holes(source, windows)
  program = _build_program(config, source, windows)
  estimator = make_estimator(config.flow.estimator, weights=config.flow.weights)
  return RunPlan(config, source, windows, program, estimator)


def _trained_windows(source: Source, windows: list[Window]) -> list[Window]:
  return [
    window
    for window in windows
    if len(windows) == 1 or source.holes[window.start : window.stop].any()
  ]


def _check_holes(source: Source, windows: list[Window]) -> None:
  for window in windows:
    if source.holes[window.start : window.stop].all():
      remedy = "larger --window" if len(windows) > 1 else "smaller --dilate"
      raise InputError(
        f"the hole covers the whole of all frames from {window.start} to "
        f"{window.stop - 1}, nothing is left to learn from; use a {remedy}"
      )


def _build_program(config: Config, source: Source, windows: list[Window]) -> Program:
  """Builds the program of a window, and says and checks what the run needs."""
  length = windows[0].stop - windows[0].start
  strides = clip_strides(length, config=config)
  dropped = sorted(set(config.schedule.strides) - set(strides))
  if dropped:
    names = ", ".join(map(str, dropped))
    say(f"{length} frames have no batch at stride {names}: left out")
  program = build_program(length, config=config)
  work = describe_work(
    program,
    frame_count=length,
    size=source.placement.size,
    windows=len(_trained_windows(source, windows)),
    config=config,
  )
  free = free_memory()
  ask = functools.partial(
    training_bytes, program, frame_count=length, size=work.size, config=config
  )
  work = as_measured(work, free, ask=ask)
  check_fits(work, free, smallest_window=needed_frames(config))
  say(describe(work, free))
  return program
