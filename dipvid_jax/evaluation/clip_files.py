"""Where the result of a clip lies, and what it is scored against."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.layouts import find_clips, find_results
from dipvid_jax.evaluation.truth import ComposedTruth, TrueFiles, Truth
from dipvid_jax.media.data_sets import VideoSet


@dataclasses.dataclass(frozen=True)
class ClipFiles:
  """The files of one clip.

  Attributes:
    name: of its row in a table.
    result: a run's output folder, or any system's stitched frames: a folder of
      images or a video.
    truth: the true frames and the masks.
    full: full frames of the truth's size, a folder of images or a video; None takes
      the full frames in a run's folder.
  """

  name: str
  result: Path
  truth: Truth
  full: Path | None = None


def pair_clips(
  results: Path, truth: Path, masks: Path, *, full: Path | None = None
) -> list[ClipFiles]:
  """Pairs results with the true clips of equal name.

  Args:
    results: a folder with a result for each clip, as `find_results` takes it.
    truth: a folder with at least these clips, as `find_clips` takes it.
    masks: a folder with at least their masks.
    full: a folder with at least their full frames.

  Returns:
    The files of each result, sorted by name.

  Raises:
    InputError: a folder cannot be read, is empty, holds a name twice, or lacks a name
      in `results`.
  """
  frames = find_clips(truth, kind="frames")
  named = find_results(results, names=frames)
  holes = find_clips(masks, kind="masks")
  whole = find_results(full, names=frames) if full else None
  _check_names(truth, frames, results, named)
  _check_names(masks, holes, results, named)
  if full and whole is not None:
    _check_names(full, whole, results, named)
  return [
    ClipFiles(
      name,
      named[name],
      TrueFiles(frames[name], holes[name]),
      full=whole[name] if whole else None,
    )
    for name in sorted(named)
  ]


def pair_composed(
  results: Path, set_name: str, *, video_ids: Collection[str] | None = None
) -> list[ClipFiles]:
  """Pairs results with the videos of a composed set.

  Args:
    results: a folder with a result for each video, as `find_results` takes it.
    set_name: the set, as `VideoSet` takes it.
    video_ids: of the videos that are scored; None: all that have a result.

  Returns:
    The files of each video, sorted by name.

  Raises:
    InputError: the set or the folder cannot be read, a result is of no video of the
      set, or a video of `video_ids` has none.
  """
  videos = VideoSet(set_name)
  named = find_results(results, names=videos.places)
  if video_ids is None:
    for name in named:
      videos.check_id(name)
  else:
    _check_names(results, named, Path(set_name), video_ids)
  return [
    ClipFiles(name, named[name], ComposedTruth(videos, name))
    for name in sorted(named if video_ids is None else video_ids)
  ]


def _check_names(
  folder: Path, held: Collection[str], other: Path, wanted: Collection[str]
) -> None:
  if missing := sorted(set(wanted) - set(held)):
    raise InputError(
      f"{folder}: has nothing named {', '.join(missing)}, which {other} has; add it"
    )


def full_path(files: ClipFiles) -> Path | None:
  """Finds a clip's full frames; a run's lossy video only if it kept no images."""
  if files.full or not is_run(files.result):
    return files.full
  kept = (files.result / name for name in ("full", "full.mp4"))
  return next((path for path in kept if path.exists()), None)


def is_run(path: Path) -> bool:
  """Whether frames lie in a folder of their own: in a run's, or in ProPainter's."""
  return (path / "frames").is_dir()
