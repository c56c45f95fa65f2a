"""What a clip's headers state of its length and size."""

from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.media.decoding import open_stream
from dipvid_jax.media.images import list_images, read_image
from dipvid_jax.media.sources import source_kind


def stated_shape(path: Path) -> tuple[int, int, int] | None:
  """How many frames a clip has, and of which size, as far as that is cheap to know.

  Args:
    path: a video file, or a folder of images.

  Returns:
    (T, H, W); None where the headers do not say it, or cannot be read.
  """
  try:
    if source_kind(path) == "folder":
      files = list_images(path)
      return (len(files), *read_image(files[0]).shape[:2]) if files else None
    with open_stream(path) as (container, stream):
      rate = stream.average_rate or stream.guessed_rate
      seconds = (container.duration or 0) / 1e6  # in microseconds
      count = stream.frames or round(seconds * float(rate or 0))
      return (count, stream.height, stream.width) if count else None
  except InputError:
    return None
