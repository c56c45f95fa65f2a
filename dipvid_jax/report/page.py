"""`report.html`: what a run did, in one file that needs no network.

It is made from the run's folder alone, so that of an interrupted run, or of one by an
older version, can be made again; what the folder lacks is left out.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2

from dipvid_jax.errors import InputError
from dipvid_jax.report.curves import line_chart
from dipvid_jax.report.parts import jpeg, read_facts, strip_name
from dipvid_jax.report.tables import Recipes, duration, fact_tables, settings_table
from dipvid_jax.storage.atomic import replacing
from dipvid_jax.storage.rows import read_rows

_PREVIEW_BYTES = 800_000
_MOST_ROWS = 200
_NOT_LOSSES = ("update", "round", "start", "updates_per_second", "seconds", "stride")
_CLIPS = {
  "before": ("Before", "The input."),
  "after": ("After", "The result: the hole filled, the input around it."),
  "full": ("Full", "What the network makes of the whole frame."),
}


def write_report(folder: Path, *, recipes: Recipes) -> Path:
  """Writes the report of a run.

  Args:
    folder: the run's output folder.
    recipes: the shipped configs; the settings are compared with the nearest one.

  Returns:
    The file, `report.html` in it.

  Raises:
    InputError: the folder holds no run.
    OSError: the file cannot be written.
  """
  config = _read_config(folder / "config.json")
  facts = read_facts(folder / "report")
  metrics = read_rows(folder / "metrics.jsonl")
  rounds = read_rows(folder / "rounds.jsonl")
  script = _package_text("videos.js")
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  page = string.Template(_package_text("page_template.html")).substitute(
    title=html.escape(_title(config, folder)),
    status=html.escape(_status(facts, metrics, rounds)),
    figures=_figures(facts, metrics, rounds),
    videos="\n".join(_videos(folder / "report")),
    videos_note=_videos_note(facts),
    charts=_charts(facts, metrics, rounds),
    rounds_table=_rounds_table(rounds),
    slices="\n".join(_slices(folder / "report")),
    preview=_preview(folder / "preview.png"),
    strips="\n".join(_strips(folder / "report", rounds)) or _NOTHING,
    tables="\n".join(
      [settings_table(config, recipes=recipes), *fact_tables(config, facts)]
    ),
    footer="Made by dipvid_jax. " + html.escape(f"Written {facts.get('written', '')}."),
    script=script,
    script_hash=f"sha256-{digest}",
  )
  path = folder / "report.html"
  with replacing(path) as partial:
    partial.write_text(page, encoding="utf-8")
  return path


_NOTHING = '<p class="quiet">Nothing yet.</p>'


def _read_config(path: Path) -> dict[str, Any]:
  try:
    config = json.loads(path.read_text())
    if not isinstance(config, dict):
      raise ValueError("not an object")
  except (OSError, ValueError) as error:
    raise InputError(f"{path.parent}: holds no run that can be read") from error
  return config


def _package_text(name: str) -> str:
  return (importlib.resources.files("dipvid_jax.report") / name).read_text(
    encoding="utf-8"
  )


def _title(config, folder) -> str:
  """The end of the clip's path: of a folder of images the name alone says little."""
  source = config.get("video_id") or config.get("video") or folder
  return "/".join(Path(source).parts[-2:])


def _updates(rows) -> int:
  """Updates done, of all windows."""
  last: dict[int, int] = {}
  for row in rows:
    last[row["window"]] = max(row["update"], last.get(row["window"], 0))
  return sum(last.values())


def _planned(facts) -> int:
  """Updates of the whole schedule; 0 where it is not known."""
  return facts.get("updates", 0) * facts.get("windows", 1)


def _status(facts, metrics, rounds) -> str:
  """Whether the run has ended, and why."""
  updates, planned = _updates(metrics + rounds), _planned(facts)
  whole = f" of {planned:,}" if planned else ""
  if not facts.get("finished"):
    written = facts.get("written")
    when = f" when this was written, {written}" if written else ""
    return f"The run is not finished: {updates:,}{whole} updates were done{when}."
  reasons = [row["stopped"] for row in rounds if "stopped" in row]
  if reasons:
    return f"The run is finished after {updates:,}{whole} updates: {reasons[-1]}."
  return f"The run is finished: all {updates:,} updates of its schedule are done."


def _figures(facts, metrics, rounds) -> str:
  updates, planned = _updates(metrics + rounds), _planned(facts)
  figures = {"updates": f"{updates:,}" + (f" of {planned:,}" if planned else "")}
  psnrs = [row["holdout_psnr"] for row in rounds if "holdout_psnr" in row]
  if psnrs:
    figures["PSNR on held-out known pixels"] = f"{psnrs[-1]:.2f} dB"
  if metrics:
    figures["loss"] = f"{metrics[-1]['loss']:.3g}"
  if hole := facts.get("hole"):
    figures["of the pixels are hole"] = f"{hole['mean_share']:.1%}"
  if seconds := facts.get("seconds"):
    figures["time"] = duration(sum(seconds.values()))
  return "\n".join(
    f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
    for name, value in figures.items()
  )


def _videos(parts: Path) -> Iterable[str]:
  for name, (title, what) in _CLIPS.items():
    path = parts / f"{name}.mp4"
    caption = f"<figcaption><strong>{title}</strong> {what}</figcaption>"
    if not path.exists():
      yield f"<figure>{caption}{_NOTHING}</figure>"
      continue
    uri = _data_uri(path.read_bytes(), kind="video/mp4")
    yield (
      f'<figure>{caption}<video controls loop muted playsinline preload="auto"'
      f' aria-label="{title}: {what}" src="{uri}"></video></figure>'
    )


def _videos_note(facts) -> str:
  """What the small videos do not show."""
  notes = []
  size, shown = facts.get("input_size"), facts.get("shown_size")
  if size and shown and size[0] != shown[0]:
    notes.append(
      f"shown at {shown[1]} x {shown[0]} pixels, the input has {size[1]} x {size[0]}"
    )
  if facts.get("shown_every", 1) > 1:
    notes.append(f"only every {_ordinal(facts['shown_every'])} frame is shown")
  if not notes:
    return ""
  line = html.escape("; ".join(notes))
  return f'<p class="quiet">To keep this file small: {line}.</p>'


def _charts(facts, metrics, rounds) -> str:
  def points(rows, name):
    """Windows follow each other."""
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
  psnr = points(rounds, "holdout_psnr")
  if len(losses) == 2:  # one, and its sum
    losses.pop("loss", None)
  loss_chart = line_chart(
    losses, title="Losses over updates", x="updates", y="loss", log=True
  )
  psnr_chart = line_chart(
    {"held-out PSNR": psnr} if psnr else {},
    title="PSNR on held-out known pixels over updates",
    x="updates",
    y="decibels",
  )
  held_out = (
    "Known squares that were never trained on: a quality figure while the truth in the"
    " hole is unknown. It is the network alone, without carried pixels."
    if psnr
    else "No pixels were held out; --config.holdout_fraction=0.02 holds some out."
  )
  if facts.get("windows", 1) > 1:
    held_out += " Windows follow each other, each with a network of its own."
  return (
    f'<div class="card"><h3>Losses</h3><p class="quiet">Of the last update of every'
    f" call, unweighted; <em>loss</em>, where there are several, is their weighted sum.</p>"
    f'{loss_chart}</div>\n<div class="card"><h3>PSNR on held-out pixels</h3>'
    f'<p class="quiet">{held_out}</p>{psnr_chart}</div>'
  )


def _rounds_table(rounds) -> str:
  if not rounds:
    return ""
  rows = []
  for row in rounds[-_MOST_ROWS:]:
    psnr = row.get("holdout_psnr")
    cells = [
      str(row["window"]),
      str(row.get("round", "")),
      f"{row['update']:,}",
      "" if psnr is None else f"{psnr:.2f}",
      duration(row.get("seconds", 0)),
    ]
    rows.append("".join(f'<td class="number">{html.escape(c)}</td>' for c in cells))
  heads = ("window", "round", "updates", "held-out PSNR, dB", "time since the start")
  head = "".join(f'<th scope="col" class="number">{h}</th>' for h in heads)
  body = "".join(f"<tr>{row}</tr>" for row in rows)
  return (
    f"<details><summary>The rounds in figures</summary><table><thead><tr>{head}</tr>"
    f"</thead><tbody>{body}</tbody></table></details>"
  )


def _slices(parts: Path) -> Iterable[str]:
  for name, (title, _) in _CLIPS.items():
    path = parts / f"slice-{name}.jpg"
    caption = title + (", the hole red" if name == "before" else "")
    if path.exists():
      yield _picture(path.read_bytes(), caption=caption, alt=f"Time slice: {caption}")


def _preview(path: Path) -> str:
  image = cv2.imread(str(path)) if path.exists() else None
  if image is None:
    return _NOTHING
  content = jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), max_bytes=_PREVIEW_BYTES)
  return _picture(
    content, alt="Input, flows, generated frames and result, in rows", wide=True
  )


def _strips(parts: Path, rounds) -> Iterable[str]:
  for row in rounds:
    path = parts / strip_name(row["window"], row.get("round", 0))
    if path.exists():
      psnr = row.get("holdout_psnr")
      quality = "" if psnr is None else f", {psnr:.2f} dB on held-out pixels"
      where = f"Window {row['window']}, round" if rounds[-1]["window"] > 1 else "Round"
      caption = f"{where} {row['round']}, {row['update']:,} updates{quality}"
      yield _picture(
        path.read_bytes(), caption=caption, alt=f"Frames after: {caption}", wide=True
      )


def _picture(content: bytes, *, alt: str, caption: str = "", wide: bool = False) -> str:
  """A figure; a wide one can be moved sideways where the window is narrow."""
  text = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
  uri = _data_uri(content, kind="image/jpeg")
  image = f'<img alt="{html.escape(alt)}" src="{uri}">'
  if wide:
    image = f'<div class="wide" tabindex="0">{image}</div>'
  return f"<figure>{text}{image}</figure>"


def _data_uri(content: bytes, *, kind: str) -> str:
  return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _ordinal(number: int) -> str:
  return {2: "second", 3: "third"}.get(number, f"{number}th")
