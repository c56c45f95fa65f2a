"""The output folder of flow-weight training, and the archive that resumes it."""

import json
import tarfile
from pathlib import Path
from typing import Any

from dipvid_jax.errors import InputError
from dipvid_jax.storage import disk
from dipvid_jax.storage.atomic import replacing

_SETTINGS = "settings.json"
_CHECKPOINTS = "checkpoints"
_TELLTALE = {"variant", "strides"}  # keys of the settings of every training


class FlowRunFolder:
  """`settings.json`, `metrics.jsonl`, `checkpoints/`, `resume.tar`.

  `resume.tar` holds the latest checkpoint and the settings, all that another machine
  needs to resume.
  """

  def __init__(self, path: str | Path) -> None:
    """Names the folder without creating it.

    Args:
      path: the folder.
    """
    self.path = Path(path)
    self.checkpoints = self.path / _CHECKPOINTS
    self.metrics = self.path / "metrics.jsonl"
    self.resume_file = self.path / "resume.tar"

  def begin(self, settings: dict[str, Any]) -> None:
    """Creates the folder and writes the settings.

    Args:
      settings: plain values that JSON can hold.

    Raises:
      InputError: the folder holds a run, or cannot be written.
    """
    self._check_free("name another folder, or add --resume to continue it")
    self._check_own()
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      self.metrics.unlink(missing_ok=True)
      with replacing(self.path / _SETTINGS) as partial:
        partial.write_text(json.dumps(settings, indent=2) + "\n")
    except OSError as error:
      raise InputError(f"--output {self.path}: {disk.reason(error)}") from error

  def _check_free(self, remedy: str, *, reading: Path | None = None) -> None:
    """Refuses a folder with checkpoints; a run without any has nothing to lose.

    Args:
      remedy: what the line advises.
      reading: a `resume.tar` whose own folder is free for it.
    """
    states = list(self.checkpoints.iterdir()) if self.checkpoints.is_dir() else []
    kept = self.resume_file.exists()
    if kept and reading is not None and reading.exists():
      kept = not self.resume_file.samefile(reading)
    if states or kept:
      raise InputError(f"--output {self.path}: holds another run; {remedy}")

  def _check_own(self) -> None:
    """Refuses a folder where files that no training wrote would be written over."""
    held = [
      path.name for path in (self.path / _SETTINGS, self.metrics) if path.exists()
    ]
    if held and not _is_of_a_training(self.path / _SETTINGS):
      raise InputError(
        f"--output {self.path}: holds {', '.join(held)}, which no training wrote; name"
        " another folder"
      )

  def resume(self, settings: dict[str, Any]) -> None:
    """Checks that the run in the folder began with the same settings.

    Args:
      settings: as in `begin`.

    Raises:
      InputError: the folder holds no run, or one with other settings.
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
    """Unpacks what `pack` wrote.

    Args:
      file: a `resume.tar`.

    Raises:
      InputError: the file cannot be read, or the folder holds a run.
    """
    remedy = "name another folder, or use --resume to continue it"
    self._check_free(remedy, reading=Path(file))
    self._check_own()
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      with tarfile.open(file) as archive:
        archive.extractall(self.path, filter="data")
    except (OSError, tarfile.TarError) as error:
      reason = " ".join(str(error).split())
      raise InputError(
        f"--resume-from {file}: cannot be unpacked ({reason}); copy it again"
      ) from error

  def pack(self, update: int) -> None:
    """Writes `resume.tar`.

    Args:
      update: the checkpoint's number of updates, which names it.
    """
    with replacing(self.resume_file) as partial, tarfile.open(partial, "w") as archive:
      archive.add(self.checkpoints / str(update), f"{_CHECKPOINTS}/{update}")
      # Last: an archive with settings has a whole checkpoint.
      archive.add(self.path / _SETTINGS, _SETTINGS)


def _is_of_a_training(path: Path) -> bool:
  """Whether a file holds the settings of a training: others have that name too."""
  try:
    settings = json.loads(path.read_text())
  except (OSError, ValueError):
    return False
  return isinstance(settings, dict) and settings.keys() >= _TELLTALE
