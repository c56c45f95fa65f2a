"""Where the result, the truth and the masks of a clip lie."""

import dataclasses
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.media.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, os_reason


@dataclasses.dataclass(frozen=True)
class ClipFiles:
  """The files of one clip.

  Attributes:
    name: of its row in a table.
    result: a run's output folder, or any system's stitched frames: a folder of
      images or a video.
    truth: the true frames, a folder of images or a video.
    masks: in any form that `read_mask` takes.
    full: full frames of the truth's size, a folder of images or a video; None takes
      the full frames in a run's folder.
  """

  name: str
  result: Path
  truth: Path
  masks: Path
  full: Path | None = None


def pair_clips(
  results: Path, truth: Path, masks: Path, *, full: Path | None = None
) -> list[ClipFiles]:
  """Pairs entries of equal name in folders of several clips.

  The name of an entry is a folder's name, or a file's without its suffix.

  Args:
    results: a folder with a result for each clip.
    truth: a folder with at least these clips.
    masks: a folder with at least their masks.
    full: a folder with at least their full frames.

  Returns:
    The files of each result, sorted by name.

  Raises:
    InputError: a folder cannot be read, is empty, holds a name twice, or lacks a name
      in `results`.
  """
  folders = {"result": results, "truth": truth, "masks": masks}
  if full is not None:
    folders["full"] = full
  named = {
    field: _entries(folder, images=field == "masks")
    for field, folder in folders.items()
  }
  for field, entries in named.items():
    if missing := sorted(named["result"].keys() - entries):
      raise InputError(
        f"{folders[field]}: has nothing named {', '.join(missing)}, which {results}"
        " has; add it"
      )
  return [
    ClipFiles(name, **{field: entries[name] for field, entries in named.items()})
    for name in sorted(named["result"])
  ]


def _entries(folder: Path, *, images: bool) -> dict[str, Path]:
  """The folders and videos in a folder, and its images on request, by name."""
  suffixes = VIDEO_SUFFIXES | (IMAGE_SUFFIXES if images else frozenset())
  entries: dict[str, Path] = {}
  try:
    paths = sorted(folder.iterdir())
  except OSError as error:
    raise InputError(f"{folder}: {os_reason(error)}") from error
  for path in paths:
    if path.name.startswith(".") or not (
      path.is_dir() or path.suffix.lower() in suffixes
    ):
      continue
    name = path.name if path.is_dir() else path.stem
    if name in entries:
      raise InputError(
        f"{folder}: holds {entries[name].name} and {path.name}; keep one"
      )
    entries[name] = path
  if not entries:
    raise InputError(f"{folder}: holds no folder and no video; give one of each clip")
  return entries


def full_path(files: ClipFiles) -> Path | None:
  """Finds a clip's full frames; a run's lossy video only if it kept no images."""
  if files.full or not is_run(files.result):
    return files.full
  kept = (files.result / name for name in ("full", "full.mp4"))
  return next((path for path in kept if path.exists()), None)


def is_run(path: Path) -> bool:
  """Whether a path is the output folder of a run of this program."""
  return (path / "frames").is_dir()
