"""The composed set as a data set of TensorFlow Datasets.

Imports TensorFlow Datasets (extra `data`) but not TensorFlow. Therefore images are
passed as PNG, features.Video is not used, and the base class writes shards directly:
the usual one sorts more than 1 GB in files that only TensorFlow can open.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_type_hints

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from dipvid_jax.composed.recipe import Recipe

SPLIT = "test"

_DESCRIPTION = """\
Videos with a hole whose content is known: a segment of a background video with the
moving masks of another one. `frames` is what a method may see, grey in the hole; `hole`
is 255 in the hole; `truth` is the background; `recipe` says what they are made of.
"""
_CITATION = """\
@inproceedings{zhang2019internal,
  title     = {An Internal Learning Approach to Video Inpainting},
  author    = {Zhang, Haotian and Mai, Long and Xu, Ning and Wang, Zhaowen and
               Collomosse, John and Jin, Hailin},
  booktitle = {International Conference on Computer Vision (ICCV)},
  year      = {2019}
}
"""


class _SortedWriter(tfds.core.ExampleWriter):
  """Writes an example's features in the order of their names.

  Protocol buffers leave the order open, and it differs between processes.
  """

  def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
    """Writes (key, serialised example) pairs to one file."""
    return super().write(path, ((key, _sort(example)) for key, example in examples))


class ComposedSet(tfds.core.ShardBasedBuilder):
  """Builds a composed set: one split with a file per video, in recipe order."""

  VERSION = tfds.core.Version("1.0.0")

  def __init__(
    self,
    *,
    recipes: Sequence[Recipe],
    compose: Callable[[Recipe], dict[str, list[bytes]]],
    settings: dict[str, Any],
    on_video: Callable[[int], None],
    data_dir: str,
  ) -> None:
    """Takes everything that the files depend on.

    Args:
      recipes: one for each video.
      compose: makes the frames, hole and truth of a recipe, each a list of PNGs.
      settings: plain values, stored with the ids of the videos in metadata.json.
      on_video: called with 1 after each video.
      data_dir: the folder in which composed_set/1.0.0 is created.
    """
    self._recipes = recipes
    self._compose = compose
    self._settings = settings
    self._on_video = on_video
    super().__init__(data_dir=data_dir)

  def _info(self) -> tfds.core.DatasetInfo:
    video_ids = [recipe.video_id for recipe in self._recipes]
    return tfds.core.DatasetInfo(
      builder=self,
      description=_DESCRIPTION,
      citation=_CITATION,
      features=_features(),
      disable_shuffling=True,
      metadata=tfds.core.MetadataDict(self._settings | {"video_ids": video_ids}),
    )

  def _shard_iterators_per_split(
    self, dl_manager: Any
  ) -> dict[str, list[Callable[[], Iterator[tuple[str, dict[str, Any]]]]]]:
    del dl_manager  # nothing is downloaded
    return {
      SPLIT: [functools.partial(self._examples, recipe) for recipe in self._recipes]
    }

  def _example_writer(self) -> tfds.core.ExampleWriter:
    return _SortedWriter(file_format=self.info.file_format)

  def _examples(self, recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    example = {"video_id": recipe.video_id, "recipe": dataclasses.asdict(recipe)}
    yield recipe.video_id, example | self._compose(recipe)
    self._on_video(1)


def _sort(serialised: bytes) -> bytes:
  example = tf_example_pb2.Example.FromString(serialised)
  return example.SerializeToString(deterministic=True)


def _features() -> tfds.features.FeaturesDict:
  features = tfds.features
  kinds: dict[Any, Any] = {
    str: features.Text(),
    int: np.int64,
    bool: np.bool_,
    tuple[int, int]: features.Tensor(shape=(2,), dtype=np.int64),
  }
  recipe = {name: kinds[kind] for name, kind in get_type_hints(Recipe).items()}
  colour, grey = (features.Image(shape=(None, None, n)) for n in (3, 1))
  return features.FeaturesDict(
    {
      "video_id": features.Text(),
      "frames": features.Sequence(colour),
      "hole": features.Sequence(grey),
      "truth": features.Sequence(colour),
      "recipe": recipe,
    }
  )
