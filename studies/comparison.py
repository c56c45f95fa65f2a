"""Table 2 of the paper: systems beside each other, on simple and complex videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation import summarise, table_2
from dipvid_jax.evaluation.clip_arrays import read_stitched, read_true_clip
from dipvid_jax.evaluation.clip_files import pair_composed
from dipvid_jax.evaluation.frame_quality import as_levels
from dipvid_jax.method.keys import Value
from dipvid_jax.terminal import say
from studies.measured import Figures
from studies.method_runs import MethodRun, method_title, run_method
from studies.rows import write_rows
from studies.table import rows_by_method

# Zhang et al., Table 2: PSNR and SSIM on all, complex and simple videos of their set.
PAPER = {
  "Yu et al.": ((24.9, 0.929), (24.7, 0.926), (25.1, 0.931)),
  "Wang et al.": ((26.0, 0.914), (25.3, 0.908), (26.6, 0.920)),
  "Newson et al.": ((30.6, 0.962), (30.9, 0.963), (30.4, 0.960)),
  "Huang et al.": ((32.3, 0.971), (31.6, 0.968), (33.0, 0.974)),
  "DIP-Vid-Flow": ((32.1, 0.969), (31.9, 0.970), (32.2, 0.968)),
}
_PARTS = ("all", "complex", "simple")


def compare(
  set_folder: str,
  *,
  systems: Mapping[str, Path],
  methods: Sequence[str],
  videos: Sequence[str],
  output: Path,
  settings: Mapping[str, Value],
  figures: Figures,
) -> list[dict[str, Any]]:
  """Scores other systems' frames and ours on a composed set.

  Stitched frames are scored, of every system: others have no full frames. Writes
  `compare.json`, `compare.csv` and `compare.md`.

  Args:
    set_folder: a composed set.
    systems: folders of results by the system's name.
    methods: of ours; what is not done is run.
    videos: ids.
    output: the study's folder.
    settings: values of config keys to change, for our methods.
    figures: of the study.

  Returns:
    A row for each system and video.

  Raises:
    InputError: a system has not all videos, or frames of another count or size.
  """
  theirs = [
    result
    for name, folder in systems.items()
    for result in _read_system(name, folder, set_folder, videos)
  ]
  rows = [figures.measure(result) for result in theirs]
  for video_id in videos:
    for method in methods:
      say(f"{video_id}: {method}")
      run = run_method(set_folder, video_id, method, output=output, settings=settings)
      stitched = run._replace(method=f"{method}-stitched", full=run.stitched)
      rows.append(figures.measure(stitched) | {"method": method_title(method)})
      write_rows(output / "compare", rows)
  (output / "compare.md").write_text(comparison_markdown(rows))
  return rows


def _read_system(
  name: str, folder: Path, set_folder: str, videos: Sequence[str]
) -> list[MethodRun]:
  """A system's frames beside the truth, checked before anything is run."""
  found = []
  for clip in pair_composed(folder, set_folder, video_ids=videos):
    true_clip = read_true_clip(clip)
    stitched = as_levels(read_stitched(true_clip, size=None).result)
    found.append(
      MethodRun(clip.name, name, stitched, stitched, true_clip.frames, true_clip.masks)
    )
  return found


def read_systems(words: Sequence[str]) -> dict[str, Path]:
  """Reads `NAME=FOLDER`.

  Args:
    words: one for each system.

  Returns:
    The folders by name.

  Raises:
    InputError: a word has another form, or a name is given twice.
  """
  systems: dict[str, Path] = {}
  for word in words:
    name, equals, folder = word.partition("=")
    if not (name and equals and folder) or "/" in name or name in systems:
      raise InputError(f"--results {word}: give NAME=FOLDER, each name once")
    systems[name] = Path(folder)
  return systems


def comparison_markdown(rows: Sequence[dict[str, Any]]) -> str:
  """Table 2 with the paper's lines below ours, and the same for the hole alone.

  Args:
    rows: from `compare`; the method's column is a system's name.

  Returns:
    Markdown.
  """
  summaries = {name: summarise(own) for name, own in rows_by_method(rows).items()}
  paper = {
    f"paper's own set: {name}": {
      part: {"paper_psnr": psnr, "paper_ssim": ssim}
      for part, (psnr, ssim) in zip(_PARTS, figures, strict=True)
    }
    for name, figures in PAPER.items()
  }
  parts = next(iter(summaries.values()))
  counts = ", ".join(f"{part} {values['videos']:.0f}" for part, values in parts.items())
  return (
    "\n\n".join(
      [
        f"Stitched frames of all systems. Videos: {counts}; complex are those above the"
        " median.",
        table_2(summaries | paper),
        "Pixels of the hole alone:",
        table_2(summaries, protocol="hole"),
      ]
    )
    + "\n"
  )
