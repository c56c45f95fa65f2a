"""`bin/mask --paint`: painted frames in, proposed masks of all frames out."""

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from dipvid_jax.cli.mask_paint_flags import PaintFlag
from dipvid_jax.cli.mask_sources import Clip, read_clip
from dipvid_jax.errors import InputError
from dipvid_jax.masking.paint_folder import PaintFolder
from dipvid_jax.masking.painted import list_painted, objects_of, read_painted
from dipvid_jax.masking.painting import Painting, painting_work, propagate_scenes
from dipvid_jax.masking.scene_cuts import find_cuts, name_frames
from dipvid_jax.masking.trackers.track import Tracker, find_tracker, track_masks
from dipvid_jax.media.stacking import stack
from dipvid_jax.terminal import say, stage

_MOST_NAMED = 4  # scenes in a message


def paint(arguments: argparse.Namespace) -> None:
  """Proposes masks from painted frames and writes their folder.

  Raises:
    InputError: what is wrong with a flag, a file or the folder.
  """
  folder = PaintFolder(arguments.output)
  tracker = _tracker(arguments)
  files = _named_files(arguments.paint)
  held = folder.painted_files() if arguments.further else {}
  locks = {number: folder.file_to_lock(number) for number in arguments.lock}
  for number in locks:
    if number in files:
      raise InputError(f"--lock {number}: --paint {number}={files[number]} too; one")
  taken = {*held.values(), *locks.values(), *files.values()}
  replaces = arguments.overwrite or arguments.further
  folder.check(overwrite=replaces, inputs=_inputs(arguments), taken=taken)
  clip = read_clip(arguments)
  painted = _read_painted(held | files, locks, clip)
  painting = _propose(clip, painted, folder, tracker, keeps=arguments.further)
  masks = stack(
    np.where(labels, np.uint8(255), np.uint8(0)) for labels in painting.labels
  )
  with stage("write", len(masks)) as progress:
    folder.write(
      masks,
      clip.video,
      overwrite=replaces,
      taken=taken,
      more=folder.extras(painting, painted, clip.video.frames),
      on_progress=progress,
    )
  _report(arguments, folder, painting)


def _tracker(arguments: argparse.Namespace) -> Tracker | None:
  if not arguments.tracker:
    return None
  return find_tracker(
    arguments.tracker,
    weights=arguments.weights,
    config=arguments.tracker_config,
    python=arguments.tracker_python,
  )


def _inputs(arguments: argparse.Namespace) -> dict[str, Path]:
  folders = [flag.path for flag in arguments.paint if flag.number is None]
  named = {f"--paint {path}": path for path in folders}
  return {"--video": arguments.video, **named}


def _named_files(flags: Collection[PaintFlag]) -> dict[int, Path]:
  """The painted files of all --paint, by frame."""
  files: dict[int, Path] = {}
  for flag in flags:
    if flag.number is None and not flag.path.is_dir():
      raise InputError(
        f"--paint {flag.path}: is neither FRAME=FILE nor a folder of painted frames"
      )
    found = list_painted(flag.path) if flag.number is None else {flag.number: flag.path}
    for number, path in found.items():
      if number in files:
        raise InputError(
          f"--paint: {files[number]} and {path} both paint frame {number}; give one"
        )
      files[number] = path
  return files


def _read_painted(
  files: Mapping[int, Path], locks: Mapping[int, Path], clip: Clip
) -> dict[int, np.ndarray]:
  """Painted frames, and frames to lock as they stand, which come first."""
  count, size = len(clip.video.frames), clip.size
  others = {number: path for number, path in files.items() if number not in locks}
  painted = read_painted(others, frame_count=count, size=size)
  locked = read_painted(locks, frame_count=count, size=size)
  objects = objects_of(painted)
  if len(objects) == 1:  # a mask does not say the object's number
    (only,) = objects
    locked = {n: np.where(m > 0, np.uint8(only), 0) for n, m in locked.items()}
  painted |= locked
  for number in sorted(painted):
    if not clip.frames.first <= number <= clip.frames.last:
      raise InputError(
        f"--range {clip.frames.first}:{clip.frames.last}: leaves out frame {number},"
        " which is painted"
      )
  return painted


def _propose(
  clip: Clip,
  painted: Mapping[int, np.ndarray],
  folder: PaintFolder,
  tracker: Tracker | None,
  *,
  keeps: bool,
) -> Painting:
  """The masks of the range, by the tracker or scene by scene."""
  if tracker:
    return _track(clip, painted, tracker)
  with stage("search for cuts", 2 * (len(clip.images) - 1)) as progress:
    cuts = find_cuts(clip.images, on_progress=progress)
  first = clip.frames.first
  scenes = [slice(first + cut.start, first + cut.stop) for cut in cuts]
  looks = folder.kept_looks(clip.video.frames, scenes) if keeps else {}
  with stage("propagate", painting_work(painted, scenes, looks)) as progress:
    return propagate_scenes(
      clip.video.frames, painted, scenes, looks=looks, on_progress=progress
    )


def _track(clip: Clip, painted: Mapping[int, np.ndarray], tracker: Tracker) -> Painting:
  """The masks of the range as a tracker finds them, cuts or not."""
  first = clip.frames.first
  inside = {number - first: image for number, image in painted.items()}
  with stage("track", len(clip.images)) as progress:
    tracked = track_masks(clip.images, inside, tracker, on_progress=progress)
  labels = np.zeros(clip.video.frames.shape[:3], np.uint8)
  labels[first : clip.frames.last + 1] = tracked.labels
  confidence = dict.fromkeys(painted, 1.0)
  if tracked.confidence is not None:
    confidence = {first + i: float(c) for i, c in enumerate(tracked.confidence)}
  open_ones = [number for number in confidence if number not in painted]
  least_sure = min(open_ones, key=confidence.__getitem__, default=None)
  return Painting(labels, confidence, least_sure, (), {})


def _report(
  arguments: argparse.Namespace, folder: PaintFolder, painting: Painting
) -> None:
  """Says what was made, what is empty, and which frame to look at next."""
  count = int(sum(labels.any() for labels in painting.labels))
  objects = objects_of(dict(enumerate(painting.labels)))
  if painting.unpainted:
    named = [name_frames(scene) for scene in painting.unpainted[:_MOST_NAMED]]
    more = len(painting.unpainted) - len(named)
    rest = f" and {more} more scenes" if more else ""
    say(
      f"{', '.join(named)}{rest}: no painted frame between the cuts, so the masks are"
      " empty; paint one there if the object appears"
    )
  print(
    f"done: {folder.masks} ({len(painting.labels)} masks, {count} of them not black"
    f"{'; objects ' + ', '.join(map(str, objects)) if len(objects) > 1 else ''});"
    f" look at {folder.overlay}, then: bin/inpaint --video {arguments.video} --mask"
    f" {folder.masks} --dilate 3 --output RESULT"
  )
  number = painting.next_to_paint
  if number is None:
    return
  several = folder.objects.is_dir()
  file = folder.file_to_lock(number)
  print(
    f"least sure: frame {number} (confidence {painting.confidence[number]:.2f}). To"
    f" correct it, retouch {file}{' (several objects)' if several else ''} and run"
    f" bin/mask --video {arguments.video} --output {folder.path} --continue --lock"
    f" {number}"
  )
