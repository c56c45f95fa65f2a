"""Where the true frames and the masks of a clip come from."""

import dataclasses
from pathlib import Path
from typing import Protocol

import numpy as np

from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.video_reading import read_video


class Truth(Protocol):
  """The true frames and the hole of a clip."""

  def read(self) -> tuple[np.ndarray, np.ndarray]:
    """Reads them.

    Returns:
      The frames `[T, H, W, 3]` uint8, and the masks `[T, H, W, 1]` uint8, above 127 in
      the hole.

    Raises:
      InputError: a file or a video of a set cannot be read.
    """


@dataclasses.dataclass(frozen=True)
class TrueFiles:
  """Frames and masks in files.

  Attributes:
    frames: a folder of images or a video.
    masks: in any form that `read_mask` takes.
  """

  frames: Path
  masks: Path

  def read(self) -> tuple[np.ndarray, np.ndarray]:
    """See `Truth`."""
    frames = read_video(self.frames).frames
    masks = read_mask(self.masks, frame_count=len(frames), size=frames.shape[1:3])
    return frames, masks


@dataclasses.dataclass(frozen=True)
class ComposedTruth:
  """A video of a composed set.

  Attributes:
    videos: the set.
    video_id: the video.
  """

  videos: VideoSet
  video_id: str

  def read(self) -> tuple[np.ndarray, np.ndarray]:
    """See `Truth`."""
    frames = np.stack(self.videos.read(self.video_id, "truth"))
    return frames, self.videos.masks(self.video_id)
