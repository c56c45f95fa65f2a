"""What a run tells of itself as it goes on: its rounds in a file, and `report.html`."""

from typing import Any

import numpy as np

from dipvid_jax.pipeline import Inpainted
from dipvid_jax.preparation import Placement
from dipvid_jax.preview import to_levels
from dipvid_jax.progress import say
from dipvid_jax.report import write_report
from dipvid_jax.report_parts import ReportParts
from dipvid_jax.row_files import read_rows
from dipvid_jax.run_folder import RunFolder
from dipvid_jax.schedule import Visit
from dipvid_jax.stage_times import StageTimes
from dipvid_jax.stopping import Stopping
from dipvid_jax.types import Video


class RunReport:
  """Keeps `rounds.jsonl`, the report's parts and the report up to date.

  Attributes:
    stopping: ends the run before its schedule does.
  """

  def __init__(self, folder: RunFolder, *, config: Any):
    """Starts the clocks; nothing is made yet.

    Args:
      folder: of the run.
      config: from `load_config`.
    """
    self.stopping = Stopping(patience=config.stop_patience, minutes=config.max_minutes)
    self._folder = folder
    self._every = config.preview_every
    self._times = StageTimes()

  def lap(self, stage: str) -> None:
    """Counts the time since the last stage to this one."""
    self._times.lap(stage)

  def begin(
    self,
    video: Video,
    masks: np.ndarray,
    *,
    placement: Placement,
    visits: list[Visit],
    resume: bool,
  ) -> None:
    """Writes a report without results.

    Args:
      video: the input.
      masks: `[T, H, W, 1]` uint8, above 127 = hole.
      placement: of the working frames in the input.
      visits: the whole schedule.
      resume: the folder's run goes on.
    """
    self._parts = ReportParts(
      self._folder.path,
      video,
      masks,
      placement=placement,
      updates=sum(visit.updates for visit in visits),
      rounds=visits[-1].round + 1,
      times=self._times,
      resume=resume,
    )
    write_report(self._folder.path)
    self.lap("checkpoints and report")

  def resume(self, updates: int) -> None:
    """Goes on after so many updates; the folder holds no later rows.

    Args:
      updates: 0 for a run that begins.
    """
    metrics, rounds = read_rows(self._folder.metrics), read_rows(self._folder.rounds)
    at_end = rounds and rounds[-1]["update"] == updates
    self.stopping.restore(
      seconds=max([row.get("seconds", 0.0) for row in metrics + rounds], default=0.0),
      psnrs=[row["holdout_psnr"] for row in rounds if "holdout_psnr" in row],
      reason=rounds[-1].get("stopped", "") if at_end else "",
    )

  def record_round(self, visit: Visit, updates: int, result: Inpainted) -> None:
    """Adds a round to `rounds.jsonl`; to be called before its checkpoint is written.

    Args:
      visit: that ended the round.
      updates: done so far.
      result: of the round.
    """
    self.lap("inference")
    row: dict[str, Any] = {"update": updates, "round": visit.round + 1}
    if result.holdout_psnr is not None:
      row["holdout_psnr"] = round(result.holdout_psnr, 4)
    row["seconds"] = round(self.stopping.seconds, 2)
    if self.stopping.reason:
      row["stopped"] = self.stopping.reason
      say(f"stopped after {updates} updates: {self.stopping.reason}")
    self._folder.append_round(row)
    self._parts.write_strip(to_levels(result.full), round_number=visit.round + 1)

  def is_due(self, visit: Visit) -> bool:
    """Whether preview and report are to be made anew after the visit's round."""
    return (visit.round + 1) % self._every == 0

  def refresh(self, result: Inpainted) -> None:
    """Makes the report anew, with the result of a round."""
    self._parts.write_working(
      after=to_levels(result.stitched), full=to_levels(result.full)
    )
    self._parts.write_facts(finished=False)
    write_report(self._folder.path)
    self.lap("checkpoints and report")

  def end(self, *, after: np.ndarray, full: np.ndarray) -> None:
    """Makes the report anew, with the run's result.

    Args:
      after: `[T, H, W, 3]` uint8 RGB, of the input's size.
      full: `[T, h, w, 3]` uint8 RGB, of the working size.
    """
    self.lap("writing")
    self._parts.write_result(after=after, full=full)
    write_report(self._folder.path)
