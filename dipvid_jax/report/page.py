"""`report.html`: what a run did, in one file that works offline.

It is made from the run's folder alone, so the report of an interrupted run, or of a
run of an older version, can be made again. What the folder lacks is left out. The
HTML is in `templates/`; this module computes the values.
"""

import base64
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from dipvid_jax.errors import InputError
from dipvid_jax.media.images import read_image
from dipvid_jax.report.curves import Chart, line_chart
from dipvid_jax.report.parts import jpeg, read_facts, strip_name
from dipvid_jax.report.residue_note import residue_note
from dipvid_jax.report.tables import (
  Recipes,
  duration,
  fact_tables,
  round_rows,
  settings_table,
)
from dipvid_jax.storage.atomic import replacing
from dipvid_jax.storage.rows import read_rows

Row = Mapping[str, Any]  # of `metrics.jsonl` or `rounds.jsonl`
Facts = Mapping[str, Any]  # from `read_facts`

_PREVIEW_BYTES = 800_000
_SIGN = b", inpainted</title>"  # in the reports of every version
_NOT_LOSSES = ("update", "round", "start", "updates_per_second", "seconds", "stride")
_CLIPS = {
  "before": ("Before", "The input."),
  "after": ("After", "The result: the hole filled, the input around it."),
  "full": ("Full", "What the network makes of the whole frame."),
}


class Clip(NamedTuple):
  """One of the three videos; `uri` is empty until it exists."""

  title: str
  what: str
  uri: str


class Picture(NamedTuple):
  """A picture as a data URI, with its texts."""

  uri: str
  alt: str
  caption: str = ""


def write_report(folder: Path, *, recipes: Recipes) -> Path:
  """Writes the report of a run.

  Args:
    folder: the run's output folder.
    recipes: the shipped configs; the settings are compared with the nearest one.

  Returns:
    The file, `report.html` in the folder.

  Raises:
    InputError: the folder holds no run.
    OSError: the file cannot be written.
  """
  config = _read_config(folder / "config.json")
  facts = read_facts(folder / "report")
  metrics = read_rows(folder / "metrics.jsonl")
  rounds = read_rows(folder / "rounds.jsonl")
  loss_chart, psnr_chart = _charts(facts, metrics, rounds)
  script = (importlib.resources.files(__package__) / "videos.js").read_text("utf-8")
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  page = (
    environment()
    .get_template("page.html")
    .render(
      title=_title(config, folder),
      status=_status(facts, metrics, rounds),
      residue=residue_note(rounds, dilation=config.get("dilate", 0)),
      figures=_figures(facts, metrics, rounds),
      clips=_clips(folder / "report"),
      clips_note=_clips_note(facts),
      loss_chart=loss_chart,
      psnr_chart=psnr_chart,
      windows=facts.get("windows", 1),
      rounds=round_rows(rounds),
      slices=_slices(folder / "report"),
      preview=_preview(folder / "preview.png"),
      strips=_strips(folder / "report", rounds),
      settings=settings_table(config, recipes=recipes),
      fact_tables=fact_tables(config, facts),
      written=facts.get("written", ""),
      script=script,
      script_hash=f"sha256-{digest}",
    )
  )
  path = folder / "report.html"
  with replacing(path) as partial:
    partial.write_text(_as_text(page), encoding="utf-8")
  return path


def is_report(path: Path) -> bool:
  """Whether a file is a report: only such a file may be written over."""
  try:
    return _SIGN in path.read_bytes()
  except OSError:
    return False


@functools.cache
def environment() -> jinja2.Environment:
  """The templates of the report; every value is escaped."""
  return jinja2.Environment(
    loader=jinja2.PackageLoader("dipvid_jax.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )


def _as_text(page: str) -> str:
  """Replaces the bytes of file names that are no UTF-8 by the sign for that."""
  return page.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read_config(path: Path) -> dict[str, Any]:
  try:
    config = json.loads(path.read_text())
    if not isinstance(config, dict):
      raise ValueError("not an object")
  except (OSError, ValueError) as error:
    raise InputError(
      f"{path.parent}: holds no run; give the output folder of a run, with a readable"
      f" {path.name}"
    ) from error
  return config


def _title(config: Mapping[str, Any], folder: Path) -> str:
  """The end of the clip's path; the name alone says little of a folder of images."""
  source = config.get("video_id") or config.get("video") or folder
  return "/".join(Path(source).parts[-2:])


def _updates(rows: Sequence[Row]) -> int:
  """The number of updates done, over all windows."""
  last: dict[int, int] = {}
  for row in rows:
    last[row["window"]] = max(row["update"], last.get(row["window"], 0))
  return sum(last.values())


def _planned(facts: Facts) -> int:
  """The updates of the whole schedule; 0 if unknown."""
  return facts.get("updates", 0) * facts.get("windows", 1)


def _status(facts: Facts, metrics: Sequence[Row], rounds: Sequence[Row]) -> str:
  """Whether the run has ended, and why."""
  updates, planned = _updates([*metrics, *rounds]), _planned(facts)
  whole = f" of {planned:,}" if planned else ""
  if not facts.get("finished"):
    written = facts.get("written")
    when = f" when this was written, {written}" if written else ""
    return f"The run is not finished: {updates:,}{whole} updates were done{when}."
  reasons = [row["stopped"] for row in rounds if "stopped" in row]
  if reasons:
    return f"The run is finished after {updates:,}{whole} updates: {reasons[-1]}."
  return f"The run is finished: all {updates:,} updates of its schedule are done."


def _figures(
  facts: Facts, metrics: Sequence[Row], rounds: Sequence[Row]
) -> dict[str, str]:
  """The run in a few numbers, by name."""
  updates, planned = _updates([*metrics, *rounds]), _planned(facts)
  figures = {"updates": f"{updates:,}" + (f" of {planned:,}" if planned else "")}
  psnrs = [row["holdout_psnr"] for row in rounds if "holdout_psnr" in row]
  if psnrs:
    figures["PSNR on held-out known pixels"] = f"{psnrs[-1]:.2f} dB"
  if rounds and "carried_share" in rounds[-1]:
    figures["of the fill is carried"] = f"{rounds[-1]['carried_share']:.0%}"
    figures["of the fill is the network's"] = f"{rounds[-1]['network_share']:.0%}"
  if metrics:
    figures["loss"] = f"{metrics[-1]['loss']:.3g}"
  if hole := facts.get("hole"):
    figures["of the pixels are hole"] = f"{hole['mean_share']:.1%}"
  if seconds := facts.get("seconds"):
    figures["time"] = duration(sum(seconds.values()))
  return figures


def _clips(parts: Path) -> list[Clip]:
  clips = []
  for name, (title, what) in _CLIPS.items():
    path = parts / f"{name}.mp4"
    uri = _data_uri(path.read_bytes(), kind="video/mp4") if path.exists() else ""
    clips.append(Clip(title, what, uri))
  return clips


def _clips_note(facts: Facts) -> str:
  """What the small videos leave out; empty if nothing."""
  notes = []
  size, shown = facts.get("input_size"), facts.get("shown_size")
  if size and shown and size[0] != shown[0]:
    notes.append(
      f"shown at {shown[0]} x {shown[1]} pixels (height x width), the input has"
      f" {size[0]} x {size[1]}"
    )
  every = facts.get("shown_every", 1)
  if every > 1:
    ordinal = {2: "second", 3: "third"}.get(every, f"{every}th")
    notes.append(f"only every {ordinal} frame is shown")
  return "; ".join(notes)


def _charts(
  facts: Facts, metrics: Sequence[Row], rounds: Sequence[Row]
) -> tuple[Chart | None, Chart | None]:
  """The charts of the losses and of the held-out PSNR."""

  def points(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    """Places the windows one after another."""
    before = facts.get("updates", 0)
    return [
      ((row["window"] - 1) * before + row["update"], row[name])
      for row in rows
      if name in row
    ]

  losses = {
    name: points(metrics, name)
    for name, value in (metrics[0] if metrics else {}).items()
    if name not in _NOT_LOSSES and isinstance(value, float)
  }
  if len(losses) == 2:  # a single loss equals its sum
    losses.pop("loss", None)
  loss_chart = line_chart(
    losses, title="Losses over updates", x="updates", y="loss", log=True
  )
  psnr_chart = line_chart(
    {"held-out PSNR": points(rounds, "holdout_psnr")},
    title="PSNR on held-out known pixels over updates",
    x="updates",
    y="decibels",
  )
  return loss_chart, psnr_chart


def _slices(parts: Path) -> list[Picture]:
  slices = []
  for name, (title, _) in _CLIPS.items():
    path = parts / f"slice-{name}.jpg"
    caption = title + (", the hole red" if name == "before" else "")
    if path.exists():
      uri = _data_uri(path.read_bytes(), kind="image/jpeg")
      slices.append(Picture(uri, f"Time slice: {caption}", caption))
  return slices


def _preview(path: Path) -> Picture | None:
  try:
    image = read_image(path)
  except InputError:  # it is missing or damaged
    return None
  content = jpeg(image, max_bytes=_PREVIEW_BYTES)
  uri = _data_uri(content, kind="image/jpeg")
  return Picture(uri, "Input, flows, generated frames and result, in rows")


def _strips(parts: Path, rounds: Sequence[Row]) -> list[Picture]:
  strips = []
  for row in rounds:
    path = parts / strip_name(row["window"], row.get("round", 0))
    if path.exists():
      psnr = row.get("holdout_psnr")
      quality = "" if psnr is None else f", {psnr:.2f} dB on held-out pixels"
      where = f"Window {row['window']}, round" if rounds[-1]["window"] > 1 else "Round"
      caption = f"{where} {row['round']}, {row['update']:,} updates{quality}"
      uri = _data_uri(path.read_bytes(), kind="image/jpeg")
      strips.append(Picture(uri, f"Frames after: {caption}", caption))
  return strips


def _data_uri(content: bytes, *, kind: str) -> str:
  return f"data:{kind};base64,{base64.b64encode(content).decode()}"
