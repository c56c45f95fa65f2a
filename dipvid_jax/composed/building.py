"""From folders of videos and masks to a composed set on disk, and back."""

import contextlib
import functools
import io
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dipvid_jax.composed.compose import fit_frames, hide, place_mask, to_pngs
from dipvid_jax.composed.library import Clip, mask_facts, open_library
from dipvid_jax.composed.recipe import ClipFacts, Recipe, draw_recipes
from dipvid_jax.errors import InputError
from dipvid_jax.media.data_sets import VideoSet, find_sets, import_tfds
from dipvid_jax.storage.disk import is_full
from dipvid_jax.terminal import say, stage

_SET_FOLDER = "composed_set/1.0.0"  # where TensorFlow Datasets puts a `ComposedSet`
_Value = TypeVar("_Value")


class Composed(NamedTuple):
  """One video of a composed set.

  Attributes:
    frames: `[T, H, W, 3]` uint8 RGB, grey in the hole: what a method may see.
    hole: `[T, H, W, 1]` uint8, 255 in the hole and 0 elsewhere.
    truth: `[T, H, W, 3]` uint8 RGB, the frames without a hole.
    recipe: what they are made of.
  """

  frames: np.ndarray
  hole: np.ndarray
  truth: np.ndarray
  recipe: Recipe


def build_composed(
  output: str | pathlib.Path,
  *,
  backgrounds: str | pathlib.Path,
  masks: str | pathlib.Path,
  segment_length: int = 60,
  masks_per_segment: int = 5,
  seed: int = 0,
  size: tuple[int, int] | None = None,
  vary: bool = False,
) -> pathlib.Path:
  """Composes videos whose hole has known content, and stores them.

  One segment is drawn from each background, and several sequences of masks for it. The
  same files, settings and library versions give the same set, to the byte.

  Args:
    output: the folder for the set, which may exist but must not hold a set.
    backgrounds: the videos, as `open_library` takes them. Videos with fewer than
      `segment_length` frames are left out with a message.
    masks: the sequences of masks, as `open_library` takes them.
    segment_length: frames of a composed video.
    masks_per_segment: videos of each background.
    seed: of all draws.
    size: (H, W) of the videos, to which backgrounds are cut and resized; None keeps
      each background's own.
    vary: masks are also mirrored, scaled and moved; see `draw_recipes`.

  Returns:
    The set's own folder.

  Raises:
    InputError: bad input, or the extra `data` is not installed.

  Reference: Zhang et al., ICCV 2019, section 4, the Composed dataset.
  """
  import_tfds()
  output = pathlib.Path(output)
  _check_settings(output, segment_length, masks_per_segment, seed, size)
  shown = open_library(backgrounds, content="frames")
  hidden = open_library(masks, content="masks")
  with stage("look", len(shown) + len(hidden)) as progress:
    facts = [_counted(clip.facts(), progress) for clip in shown.values()]
    mask_list = [_counted(mask_facts(clip), progress) for clip in hidden.values()]
  recipes = draw_recipes(
    _long_enough(facts, segment_length),
    mask_list,
    segment_length=segment_length,
    masks_per_segment=masks_per_segment,
    seed=seed,
    size=size,
    vary=vary,
  )
  settings = {
    "segment_length": segment_length,
    "masks_per_segment": masks_per_segment,
    "seed": seed,
    "size": size and list(size),
    "vary": vary,
  }
  return _write(output, recipes, settings, _Composer(shown, hidden))


def read_composed(name_or_folder: str | pathlib.Path, video_id: str) -> Composed:
  """Reads one video of a composed set.

  Args:
    name_or_folder: the set, as `VideoSet` takes it.
    video_id: the video.

  Returns:
    Its frames, hole, truth and recipe.

  Raises:
    InputError: the set or video does not exist, or the set is of another kind.
  """
  held = VideoSet(name_or_folder)
  recipe = held.read(video_id, "recipe")
  recipe = Recipe(**{name: _plain(value) for name, value in recipe.items()})
  frames, hole, truth = (
    np.stack(held.read(video_id, name)) for name in ("frames", "hole", "truth")
  )
  return Composed(frames, hole, truth, recipe)


class _Composer:
  """Makes the stored arrays of a recipe; caches the truth that recipes share."""

  def __init__(
    self, backgrounds: Mapping[str, Clip], masks: Mapping[str, Clip]
  ) -> None:
    self._backgrounds = backgrounds
    self._masks = masks
    self._read_truth = functools.lru_cache(maxsize=1)(self._read_segment)

  def __call__(self, recipe: Recipe) -> dict[str, list[bytes]]:
    truth, truth_pngs = self._read_truth(
      recipe.background, recipe.first_frame, recipe.frame_count, recipe.frame_size
    )
    hole = place_mask(self._masks[recipe.mask].masks(), recipe)
    frames = to_pngs(hide(truth, hole))
    return {"frames": frames, "hole": to_pngs(hole), "truth": truth_pngs}

  def _read_segment(
    self, name: str, first_frame: int, frame_count: int, size: tuple[int, int]
  ) -> tuple[np.ndarray, list[bytes]]:
    frames = self._backgrounds[name].frames(first_frame, frame_count)
    truth = fit_frames(frames, size=size)
    return truth, to_pngs(truth)


def _write(
  output: pathlib.Path,
  recipes: Sequence[Recipe],
  settings: dict[str, Any],
  compose: Callable[[Recipe], dict[str, list[bytes]]],
) -> pathlib.Path:
  # Imported here, because it needs TensorFlow Datasets.
  from dipvid_jax.composed.builder import ComposedSet

  tfds = import_tfds()
  try:
    with stage("compose", len(recipes)) as progress:
      builder = ComposedSet(
        recipes=recipes,
        compose=compose,
        settings=settings,
        on_video=progress,
        data_dir=str(output),
      )
      # It reports a download on stdout and creates a folder for it. Neither is wanted
      # and neither can be turned off.
      with (
        contextlib.redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as unused,
      ):
        builder.download_and_prepare(
          download_dir=unused,
          download_config=tfds.download.DownloadConfig(try_download_gcs=False),
          file_format="array_record",
        )
  except OSError as error:
    what = "disk full" if is_full(error) else "cannot be written"
    raise InputError(f"--output {output}: {what} ({error})") from error
  return pathlib.Path(builder.data_dir)


def _check_settings(
  output: pathlib.Path,
  segment_length: int,
  masks_per_segment: int,
  seed: int,
  size: tuple[int, int] | None,
) -> None:
  settings = {
    "--segment-length": (segment_length, 1),
    "--masks-per-segment": (masks_per_segment, 1),
    "--seed": (seed, 0),
    "--size": (min(size) if size else 1, 1),
  }
  for flag, (value, smallest) in settings.items():
    if value < smallest:
      raise InputError(f"{flag}: must be {smallest} or more, got {value}")
  try:
    str(output.absolute()).encode()
  except UnicodeEncodeError as error:
    raise InputError(
      f"--output {output}: is not UTF-8, which data sets need; name another folder"
    ) from error
  if output.exists() and not output.is_dir():
    raise InputError(f"--output {output}: is a file; name a folder")
  if output.is_dir() and (held := find_sets(output)):
    raise InputError(
      f"--output {output}: holds a data set ({held[0]}); name another folder"
    )
  if (output / _SET_FOLDER).exists():  # which would pass for the set
    raise InputError(
      f"--output {output}: holds {_SET_FOLDER}, which is no data set; name another"
      " folder"
    )


def _long_enough(facts: list[ClipFacts], segment_length: int) -> list[ClipFacts]:
  """Leaves out clips shorter than a segment, and reports them."""
  short = [
    f"{f.name} ({f.frame_count})" for f in facts if f.frame_count < segment_length
  ]
  if len(short) == len(facts):
    raise InputError(
      f"--segment-length {segment_length}: every background is shorter:"
      f" {', '.join(short)} frames"
    )
  if short:
    say(f"shorter than {segment_length} frames and left out: {', '.join(short)}")
  return [f for f in facts if f.frame_count >= segment_length]


def _counted(value: _Value, progress: Callable[[int], None]) -> _Value:
  """The value, after one step of progress."""
  progress(1)
  return value


def _plain(value: Any) -> Any:
  """Converts a value from TensorFlow Datasets to its form in a recipe."""
  if isinstance(value, bytes):
    return value.decode()
  return tuple(value.tolist()) if np.ndim(value) else np.asarray(value).item()
