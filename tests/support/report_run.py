"""A run that reports what the tests tell it to do, and a parsed report page."""

import base64
import fractions
import html.parser
import io
import types
from pathlib import Path
from typing import Any

import av
import numpy as np

from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.media.placement import place
from dipvid_jax.media.preparation import prepare
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.recipes import load_config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.plan import RunPlan
from dipvid_jax.runs.run_report import RunReport
from dipvid_jax.runs.source import Source
from dipvid_jax.runs.windows import Window
from dipvid_jax.training.schedule import Visit
from dipvid_jax.types import Video
from tests.support.media_files import moving_frames

COUNT, SIZE, WORKING = 6, (48, 80), (32, 32)
EVIL = 'clips/<script>alert(1)</script>" onload="alert(2)&.mp4'
VISITS = [Visit(0, 0, 0, 10, r, ends_round=True) for r in range(4)]
PSNRS = (18.25, 20.5, 21.75, 21.75)


class Run:
  """A run without training: the test says what each round does."""

  def __init__(
    self, folder: Path, *, fit: str = "crop", count: int = COUNT, **changes: Any
  ):
    self.folder = RunFolder(folder / "out")
    clip = {"video": EVIL, "mask": "m.png", "size": WORKING, "fit": fit, "levels": 3}
    self.config = load_config("fast", **{**clip, **changes})
    self.frames = moving_frames(count, *SIZE)
    self.masks = np.zeros((count, *SIZE, 1), np.uint8)
    self.masks[:, 20:30, 34:44] = 255
    self.window = Window(0, 0, count, 0, count)
    self.folder.path.mkdir()
    self.folder.create(self.config.to_dict(), resume=False)
    self.renew_report()

  def renew_report(self) -> None:
    """Starts the clocks again, as the process of a resumed run does."""
    self.report = RunReport(
      self.folder,
      stopping=self.config.stopping,
      preview_every=self.config.output.preview_every,
    )

  def plan(self, *, windows: int = 1, **video: Any) -> RunPlan:
    """A plan with a schedule and without a program."""
    shown = Video(self.frames, fractions.Fraction(25), **video)
    fit = self.config.placement.fit
    placement = place(self.frames.shape[1:3], size=WORKING, fit=fit)
    source = Source(shown, self.masks, placement, self.masks > HOLE_ABOVE)
    program: Any = types.SimpleNamespace(visits=VISITS)
    estimator: Any = None
    return RunPlan(self.config, source, [self.window] * windows, program, estimator)

  def begin(self, *, resume: bool = False) -> None:
    self.report.begin(self.plan(), resume=resume)
    self.report.begin_window(self.window)
    self.report.resume(self.window, 0)

  def round(self, number: int) -> bool:
    """Ends a round; the network fits better with each one."""
    visit = VISITS[number]
    updates = 10 * (number + 1)
    row = {"window": 1, "update": updates, "image": 0.5 / updates}
    self.folder.append_metrics(row | {"loss": 0.5 / updates, "seconds": 1.0})
    frames, _ = prepare(
      self.frames, self.masks, size=WORKING, fit=self.config.placement.fit
    )
    full = frames * (number + 1) / len(VISITS)
    result = Inpainted(full, frames, None, None, holdout_psnr=PSNRS[number])
    self.report.record_round(visit, updates, result, window=self.window)
    return self.report.refresh(visit, result, window=self.window)

  def end(self) -> None:
    full = np.full((len(self.frames), *WORKING, 3), 99, np.uint8)
    self.folder.write_frames(255 - self.frames, full, first=0)
    self.report.end()

  @property
  def page(self) -> "Page":
    return Page(self.folder.path / "report.html")


class Page(html.parser.HTMLParser):
  """A parsed page; checks that its elements are properly nested."""

  VOID = ("meta", "img")

  def __init__(self, path: Path):
    super().__init__()
    self.source = path.read_text()
    self.elements: list[tuple[str, dict[str, str | None]]] = []
    self.words: list[str] = []
    self._open: list[str] = []
    self.feed(self.source)
    self.close()
    assert self._open == []
    self.text = " ".join(" ".join(self.words).split())

  def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
    self.elements.append((tag, dict(attrs)))
    if tag not in self.VOID:
      self._open.append(tag)

  def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
    self.elements.append((tag, dict(attrs)))

  def handle_endtag(self, tag: str) -> None:
    assert self._open.pop() == tag

  def handle_data(self, data: str) -> None:
    if self._open and self._open[-1] not in ("script", "style"):
      self.words.append(data)

  def all(self, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in self.elements if name == tag]


def decode(uri: str) -> bytes:
  """The content of a data URI."""
  return base64.b64decode(uri.partition("base64,")[2], validate=True)


def frames_of(video: dict[str, str | None]) -> np.ndarray:
  """`[T, H, W, 3]` of an embedded MP4."""
  with av.open(io.BytesIO(decode(video["src"] or ""))) as container:
    assert container.streams.video[0].codec_context.name == "h264"
    return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def finish(folder: Path) -> Run:
  """A run with all its rounds."""
  run = Run(folder)
  run.report.lap("reading")
  run.begin()
  for number in range(len(VISITS)):
    run.round(number)
  run.end()
  return run
