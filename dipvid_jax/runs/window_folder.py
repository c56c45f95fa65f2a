"""The folder of a run on one window alone, inside the output folder of the clip."""

from collections.abc import Mapping
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.runs.config_file import CONFIG_NAME, check_same_config
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.runs.occupancy import WINDOWS
from dipvid_jax.runs.standing import ARRAYS_NAME
from dipvid_jax.runs.window_files import read_arrays, save_arrays
from dipvid_jax.runs.windows import Arrays


class WindowFolder(RunFolder):
  """`OUTPUT/windows/NNN`: a run's folder with states, and `window.npz` for a result."""

  def __init__(self, output: Path, number: int):
    """Names the folder; makes nothing.

    Args:
      output: the folder of the clip's run.
      number: of the window, from 0.

    Raises:
      InputError: no folder can have that name.
    """
    super().__init__(output / WINDOWS / f"{number:03d}")
    self._arrays = self.path / ARRAYS_NAME

  def is_finished(self, config: Mapping[str, object]) -> bool:
    """Whether the window's arrays are there.

    Args:
      config: plain values, as JSON.

    Raises:
      InputError: the folder holds a run of another config.
    """
    if not self.holds_run():
      return False
    check_same_config(self.path / CONFIG_NAME, config)
    return self._arrays.exists()

  def check(self, *, overwrite: bool, resume: bool | None) -> None:
    """As `RunFolder.check`, for `window.npz` as well."""
    super().check(overwrite=overwrite, resume=resume)
    if self._arrays.exists() and not self.written.owns(self._arrays):
      raise InputError(
        f"--output {self.path}: {ARRAYS_NAME} would be written over, but no run wrote"
        " it; move it away"
      )

  def save(self, arrays: Arrays) -> None:
    """Writes the window's arrays, which ends its run."""
    self.check_held()
    self.written.announce(self._arrays)
    save_arrays(self._arrays, arrays)

  def read(self) -> Arrays | None:
    """The window's arrays; None while it is not done, or if the file is damaged."""
    return read_arrays(self._arrays)
