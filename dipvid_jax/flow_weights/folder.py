"""The output folder of a training of flow weights, and the file that carries it on."""

import json
import tarfile
from pathlib import Path
from typing import Any

from dipvid_jax.errors import InputError
from dipvid_jax.storage.atomic import replacing

_SETTINGS = "settings.json"
_CHECKPOINTS = "checkpoints"


class FlowRunFolder:
  """`settings.json`, `metrics.jsonl`, `checkpoints/`, `resume.tar`.

  `resume.tar` is the latest checkpoint with the settings: all that another machine
  needs to go on.
  """

  def __init__(self, path: str | Path):
    """Names the folder; nothing is made yet.

    Args:
      path: the folder.
    """
    self.path = Path(path)
    self.checkpoints = self.path / _CHECKPOINTS
    self.metrics = self.path / "metrics.jsonl"
    self.resume_file = self.path / "resume.tar"

  def begin(self, settings: dict[str, Any]) -> None:
    """Makes the folder and writes the settings.

    Args:
      settings: plain values, as JSON.

    Raises:
      InputError: it holds a run, or cannot be written.
    """
    self._check_free("name another folder, or add --resume to go on with it")
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      self.metrics.unlink(missing_ok=True)
      with replacing(self.path / _SETTINGS) as partial:
        partial.write_text(json.dumps(settings, indent=2) + "\n")
    except OSError as error:
      raise InputError(
        f"--output {self.path}: cannot be written ({error.strerror})"
      ) from error

  def _check_free(self, remedy):
    """A run that never saved a checkpoint has nothing to lose."""
    if self.checkpoints.is_dir() and any(self.checkpoints.iterdir()):
      raise InputError(f"--output {self.path}: holds another run; {remedy}")

  def go_on(self, settings: dict[str, Any]) -> None:
    """Makes sure that the run in the folder began with the same settings.

    Args:
      settings: as in `begin`.

    Raises:
      InputError: there is no run, or it has other settings.
    """
    path = self.path / _SETTINGS
    try:
      begun = json.loads(path.read_text())
      if not isinstance(begun, dict):
        raise ValueError("not an object")
    except (OSError, ValueError) as error:
      raise InputError(
        f"--output {self.path}: holds no run to resume ({path.name} cannot be read); "
        "leave out --resume"
      ) from error
    changed = [
      f"{key} ({begun.get(key)} there, {settings.get(key)} here)"
      for key in sorted(settings.keys() | begun.keys())
      if settings.get(key) != begun.get(key)
    ]
    if changed:
      raise InputError(f"--resume: {path} differs in {', '.join(changed)}")

  def unpack(self, file: str | Path) -> None:
    """Lays out what `pack` wrote.

    Args:
      file: a `resume.tar`.

    Raises:
      InputError: it cannot be read, or the folder holds a run.
    """
    self._check_free("name another folder, or use --resume to go on with it")
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      with tarfile.open(file) as archive:
        archive.extractall(self.path, filter="data")
    except (OSError, tarfile.TarError) as error:
      reason = " ".join(str(error).split())
      raise InputError(
        f"--resume-from {file}: cannot be unpacked ({reason}); copy it once more"
      ) from error

  def pack(self, update: int) -> None:
    """Writes `resume.tar`.

    Args:
      update: the checkpoint's number of updates.
    """
    with replacing(self.resume_file) as partial, tarfile.open(partial, "w") as archive:
      archive.add(self.checkpoints / str(update), f"{_CHECKPOINTS}/{update}")
      # Last: where it is, the checkpoint is whole.
      archive.add(self.path / _SETTINGS, _SETTINGS)
