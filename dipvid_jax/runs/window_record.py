"""What a window's training leaves behind: metrics, checkpoints, previews, progress."""

import contextlib
import math
import time
from collections.abc import Callable

import numpy as np

from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.program import clip_strides
from dipvid_jax.propagation.residue import find_residue
from dipvid_jax.report.preview import preview_image
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.sparing import spared
from dipvid_jax.runs.windows import Window
from dipvid_jax.storage.checkpoints import Checkpoints
from dipvid_jax.terminal import FitProgress, say, stage
from dipvid_jax.training.fit import HostMetrics
from dipvid_jax.training.schedule import Visit
from dipvid_jax.types import HasStep
from flow import VideoFlow, find_scenes, neighbour_flow


class WindowRecord(Callbacks):
  """Writes down what a window's training does; a `with` block closes its files."""

  def __init__(
    self,
    frames: np.ndarray,
    hole_masks: np.ndarray,
    *,
    window: Window,
    plan: RunPlan,
    folder: RunFolder,
    report: RunReport,
    resume: bool,
  ):
    """Opens the window's checkpoints and its bar.

    Args:
      frames: `[K, H, W, 3]` float32 RGB in [0, 1], the window's input.
      hole_masks: `[K, H, W, 1]` float32.
      window: of the plan.
      plan: the run.
      folder: of the run.
      report: of the run, begun.
      resume: begin with the latest checkpoint.
    """
    self._frames, self._hole_masks = frames, hole_masks
    self._window, self._plan, self._resume = window, plan, resume
    self._folder, self._report = folder, report
    self._label = plan.window_label(window)
    self._strides = clip_strides(len(frames), config=plan.config)
    self._known_flow: np.ndarray | None = None
    updates = sum(visit.updates for visit in plan.program.visits)
    windows_after = sum(w.number > window.number for w in plan.trained_windows)
    files = folder.window_files(window.number, of=len(plan.windows))
    self._checkpoints = Checkpoints(files.checkpoints)
    self._progress = FitProgress(
      total_updates=updates,
      rounds=plan.program.visits[-1].round + 1,
      label=self._label or "fit",
      updates_after=windows_after * updates,
    )
    self._saved_at = time.monotonic()
    self._residue: dict[str, object] | None = None
    self._carrying = contextlib.ExitStack()
    self._carry_bar: Callable[[int], object] = lambda _: None

  def __enter__(self) -> "WindowRecord":
    """Nothing to open: the files are."""
    return self

  def __exit__(self, *_: object) -> None:
    """Closes the checkpoints and the bars."""
    self._carrying.close()
    self._checkpoints.close()
    self._progress.close()

  def on_flow(self, video_flow: VideoFlow) -> None:
    """Names the cuts, because nothing is carried across them."""
    if video_flow:
      self._known_flow = video_flow[0].forward
    if self._plan.config.follows_scene:
      scenes = find_scenes(neighbour_flow(video_flow))
      cuts = [self._window.start + scene.start for scene in scenes[1:]]
      if cuts:
        numbers = ", ".join(map(str, cuts))
        self._say(f"cut before frame {numbers} (the first one is 0)")
    self._report.lap("flow")

  def on_carry(self, done: int, total: int) -> None:
    """Shows how far carrying is."""
    if done == 1:
      bar = stage(f"{self._label} carry".strip(), total)
      self._carry_bar = self._carrying.enter_context(bar)
    self._carry_bar(1)
    if done == total:
      self._carrying.close()
      self._report.lap("carrying")

  def on_start(self, state: HasStep) -> HasStep:
    """Restores the latest checkpoint where the run is resumed."""
    restored = None
    if self._resume:
      restored = self._checkpoints.restore_latest(state, on_damaged=_say_damaged)
    done = 0 if restored is None else int(restored.step)
    # Rows of later updates are dropped: the resumed run writes them again.
    self._folder.keep_metrics(window=self._window.number + 1, updates=done)
    self._report.resume(self._window, done)
    if done:
      self._progress.resume(done)
      self._say(f"resumed after {done} updates")
    return state if restored is None else restored

  def on_visit(self, visit: Visit, metrics: HostMetrics, state: HasStep) -> None:
    """Adds a line to `metrics.jsonl`; saves the state where that is due."""
    rate = self._progress.visit(visit.round, metrics)
    row: dict[str, int | float | str] = {
      "window": self._window.number + 1,
      "update": self._progress.update,
      "round": visit.round + 1,
      "start": self._window.start + visit.start,
      "stride": self._strides[visit.stride_index],
      "direction": ("forward", "backward")[visit.direction],
    }
    row |= {name: float(values[-1]) for name, values in metrics.items()}
    row |= {"updates_per_second": round(rate, 4)}
    seconds = round(self._report.stopping.seconds, 2)
    self._folder.append_metrics(row | {"seconds": seconds})
    self._report.lap("training")
    due = self._saved_at + 60 * self._plan.config.output.checkpoint_minutes
    if not visit.ends_round and time.monotonic() >= due:
      self._save(state)

  def on_window(self, done: int, total: int) -> None:
    """Shows how far inference is."""
    self._progress.window(done, total)

  def on_round(self, visit: Visit, state: HasStep, result: Inpainted) -> None:
    """Records the round, saves the state, then updates report and preview."""
    if self._residue is None:  # it does not depend on the network
      self._residue = {}
      with spared("the hint of what remains beside the mask"):
        self._residue = self._find_residue(result)
    self._report.record_round(
      visit, int(state.step), result, window=self._window, residue=self._residue
    )
    self._save(state)
    if self._report.refresh(visit, result, window=self._window):
      self.write_preview(result)
    self._progress.pause()

  def write_preview(self, result: Inpainted) -> None:
    """Writes `preview.png`."""
    with spared("preview.png"):
      image = preview_image(
        self._frames,
        self._hole_masks,
        result.full,
        result.stitched,
        known_flow=self._known_flow,
        generated_flow=result.flow,
      )
      self._folder.write_preview(image)

  def _find_residue(self, result: Inpainted) -> dict[str, object]:
    """What remains beside the mask, for the row of a round, in the input's pixels."""
    if result.guess is None:
      return {}
    pairs = result.guess.carried.pairs
    residue = find_residue(self._frames, self._hole_masks, pairs)
    if residue is None:
      return {}
    scale = float(np.max(self._plan.source.placement.scale))
    return {
      "residue_width": math.ceil(residue.width * scale),
      "residue_frames": [self._window.start + t for t in residue.frames],
    }

  def _save(self, state: HasStep) -> None:
    self._folder.check_held()
    place = self._checkpoints.place(int(state.step))
    self._folder.written.announce_folder(place)
    self._checkpoints.save(state)
    self._folder.written.seal_folder(place)
    self._progress.pause()
    self._saved_at = time.monotonic()

  def _say(self, line: str) -> None:
    say(f"{self._label}: {line}" if self._label else line)


def _say_damaged(step: int, error: Exception) -> None:
  reason = str(error).splitlines()[0] if str(error) else type(error).__name__
  say(f"checkpoint of {step} updates cannot be read ({reason}); trying the one before")
