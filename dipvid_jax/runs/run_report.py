"""What a running run tells: its rounds in a file, and `report.html`."""

import time
from collections.abc import Mapping

from dipvid_jax.media.image_sequence import ImageSequence
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.recipes import shipped_recipes
from dipvid_jax.method.settings import StoppingConfig
from dipvid_jax.report.page import write_report
from dipvid_jax.report.parts import ReportParts, part_files, read_facts, strip_name
from dipvid_jax.report.stage_times import StageTimes
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.sparing import spared
from dipvid_jax.runs.windows import Window
from dipvid_jax.storage.rows import read_rows
from dipvid_jax.terminal import say
from dipvid_jax.training.precision import effective_precision
from dipvid_jax.training.schedule import Visit
from dipvid_jax.training.stopping import Stopping


class RunReport:
  """Keeps `rounds.jsonl`, the report's parts and the report up to date.

  Attributes:
    stopping: ends the training on the present window before its schedule does.
  """

  def __init__(
    self, folder: RunFolder, *, stopping: StoppingConfig, preview_every: int
  ):
    """Starts the clocks; writes nothing yet.

    Args:
      folder: of the run.
      stopping: when windows end before their schedule.
      preview_every: rounds between updates of the report.
    """
    self.stopping = Stopping()
    self._folder = folder
    self._limits = stopping
    self._preview_every = preview_every
    self._times = StageTimes()
    self._begun = time.monotonic()

  def lap(self, stage: str) -> None:
    """Counts the time since the last stage to this one."""
    self._times.lap(stage)

  def begin(self, plan: RunPlan, *, resume: bool) -> None:
    """Writes a report without results.

    Args:
      plan: the run.
      resume: the folder's run is resumed.
    """
    source, visits = plan.source, plan.program.visits
    self._folder.written.announce(
      self._folder.path / "report.html", *part_files(self._folder.path)
    )
    self._windows, self._alone = len(plan.windows), plan.only is not None
    self._frame_count = len(source.masks)
    self._parts = ReportParts(
      self._folder.path,
      source.video,
      source.masks,
      placement=source.placement,
      updates=sum(visit.updates for visit in visits),
      rounds=visits[-1].round + 1,
      windows=self._windows,
      times=self._times,
      precision=effective_precision(plan.config.training.matmul_precision),
      resume=resume,
    )
    if resume:
      rows = read_rows(self._folder.metrics) + read_rows(self._folder.rounds)
      self._begun -= max([row.get("seconds", 0.0) for row in rows], default=0.0)
    write_report(self._folder.path, recipes=shipped_recipes())
    self.lap("checkpoints and report")

  def begin_window(self, window: Window) -> None:
    """Makes `stopping` for a window.

    Windows share `max_minutes`: each may use what is left of its part and those
    before it. A window that runs alone has its own part.

    Args:
      window: from `plan_windows`.
    """
    minutes = self._limits.max_minutes
    if minutes is not None:
      minutes *= (1 if self._alone else window.number + 1) / self._windows
    self.stopping = Stopping(
      patience=self._limits.stop_patience, minutes=minutes, begun=self._begun
    )

  def resume(self, window: Window, updates: int) -> None:
    """Continues a window after some updates; the folder holds no later rows.

    Args:
      window: from `plan_windows`.
      updates: 0 where its training begins.
    """
    number = window.number + 1
    rows = [row for row in read_rows(self._folder.rounds) if row["window"] == number]
    at_end = rows and rows[-1]["update"] == updates
    self.stopping.restore(
      psnrs=[row["holdout_psnr"] for row in rows if "holdout_psnr" in row],
      reason=rows[-1].get("stopped", "") if at_end else "",
    )

  def record_round(
    self,
    visit: Visit,
    updates: int,
    result: Inpainted,
    *,
    window: Window,
    residue: Mapping[str, object] | None = None,
  ) -> None:
    """Adds a round to `rounds.jsonl`; called before its checkpoint is written.

    Args:
      visit: that ended the round.
      updates: of the window, done so far.
      result: of the round.
      window: from `plan_windows`.
      residue: what remains beside the mask, as cells of the row.
    """
    self.lap("inference")
    number = window.number + 1
    row: dict[str, object] = {
      "window": number,
      "update": updates,
      "round": visit.round + 1,
    }
    if result.holdout_psnr is not None:
      row["holdout_psnr"] = round(result.holdout_psnr, 4)
    row |= {**_shares(result), **(residue or {})}
    row["seconds"] = round(self.stopping.seconds, 2)
    if self.stopping.reason:
      row["stopped"] = self.stopping.reason
      where = f"window {number}/{self._windows}: " if self._windows > 1 else ""
      say(f"{where}stopped after {updates} updates: {self.stopping.reason}")
    self._folder.append_round(row)
    name = strip_name(number, visit.round + 1)
    self._folder.written.announce(self._folder.report / name)
    with spared(name):
      self._parts.write_strip(
        to_levels(result.full), window=number, round_number=visit.round + 1
      )

  def refresh(self, visit: Visit, result: Inpainted, *, window: Window) -> bool:
    """Updates the report with the result of a round, where that is due.

    Args:
      visit: that ended the round.
      result: of the round.
      window: from `plan_windows`.

    Returns:
      Whether it was due: every `preview_every` rounds.
    """
    due = (visit.round + 1) % self._preview_every == 0
    if due:
      levels = {"after": to_levels(result.stitched), "full": to_levels(result.full)}
      with spared("report.html"):
        self._parts.write_working(levels, first=window.start)
        self._parts.write_facts(finished=False)
        write_report(self._folder.path, recipes=shipped_recipes())
      self.lap("checkpoints and report")
    return due

  def end_window(self) -> None:
    """Writes the times of a window that runs alone, which `adopt` reads."""
    self.lap("writing")
    self._parts.write_facts(finished=False)

  def adopt(self, folder: RunFolder) -> None:
    """Adds the times of a window's own run; those since the last lap are in them.

    Args:
      folder: of that run.
    """
    self._times.skip()
    self._times.add(read_facts(folder.report).get("seconds", {}))

  def end(self) -> None:
    """Writes the final report, with the frames that the run has written."""
    self.lap("writing")
    self._parts.write_result(
      after=ImageSequence(self._folder.frames, self._frame_count),
      full=ImageSequence(self._folder.full, self._frame_count),
    )
    write_report(self._folder.path, recipes=shipped_recipes())


def _shares(result: Inpainted) -> dict[str, float]:
  """What the fill is made of, as shares of the hole's pixels; empty if not known."""
  if result.guess is None or result.carried_share is None:
    return {}
  inside = tuple(result.guess.hole.where.T)
  if not len(inside[0]):
    return {}
  parts = {"carried_share": result.carried_share, "network_share": result.share}
  return {name: round(float(part[inside].mean()), 4) for name, part in parts.items()}
