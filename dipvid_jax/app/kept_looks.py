"""What a propagation need not compute again, in memory and in files."""

from collections.abc import Mapping
from pathlib import Path

from dipvid_jax.app.clip import OpenClip
from dipvid_jax.masking.looks_files import (
  MOST_BYTES,
  read_looks,
  size_of,
  write_looks,
)
from dipvid_jax.masking.painting import SceneLooks
from dipvid_jax.masking.propagation import Looks
from dipvid_jax.media.images import frame_path


class KeptLooks:
  """The looks of a clip's scenes.

  Attributes:
    by_scene: by the scene's first frame.
  """

  def __init__(self, folder: Path):
    """Names the folder; makes nothing.

    Args:
      folder: for the files.
    """
    self._folder = folder
    self.by_scene: dict[int, Looks] = {}

  def read(self, clip: OpenClip) -> None:
    """Reads what is kept of a clip; that of other clips is removed."""
    self.by_scene = {}
    for path in self._folder.glob("*.npz") if self._folder.is_dir() else ():
      scene = next((s for s in clip.scenes if self._path(s.start) == path), None)
      looks = read_looks(path, clip.video.frames[scene]) if scene else None
      if scene and looks:
        self.by_scene[scene.start] = looks
      else:
        path.unlink(missing_ok=True)

  def keep(self, clip: OpenClip, looks: Mapping[int, SceneLooks]) -> None:
    """Keeps those of a propagation, in files too unless they are very large."""
    self.by_scene = {first: kept.looks for first, kept in looks.items()}
    if sum(map(size_of, self.by_scene.values())) > MOST_BYTES:
      return
    self._folder.mkdir(parents=True, exist_ok=True)
    for first, kept in looks.items():
      write_looks(self._path(first), kept.looks, clip.video.frames[kept.scene])

  def _path(self, first: int) -> Path:
    return frame_path(self._folder, first).with_suffix(".npz")
