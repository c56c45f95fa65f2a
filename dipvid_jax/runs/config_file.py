"""`config.json`: the settings that a run began with."""

import json
from collections.abc import Mapping
from pathlib import Path

from dipvid_jax.errors import InputError
from dipvid_jax.storage.atomic import replacing

CONFIG_NAME = "config.json"
# The key beside the config's own that tells the run's frames and holes from others.
INPUT_FINGERPRINT = "input_sha256"
# And the number of threads that decides a CPU's last bits.
CPU_THREADS = "cpu_threads"
# The same files may have moved; threads are restored, or a line says that they cannot
# be; the others change nothing of a result.
_IRRELEVANT = (
  *("video", "mask", "tfds", "output", "checkpoint_minutes", "preview_every"),
  CPU_THREADS,
)
# Keys of every run's file, and hardly of another program's.
_TELLTALE = {"video", "levels"}
# What turns off a key of another version; of most it is 0, "", False or None.
_OFF = {
  **{"networks": 1, "mask_threshold": 127, "second_kernel": 1},
  **{"initialization": "pytorch", "perceptual_mask": "dilated"},
  "matmul_precision": "default",
}
_MOST_THREADS = 4096  # a damaged number would be obeyed


def write_config(path: Path, values: Mapping[str, object]) -> None:
  """Writes the settings of a run that begins.

  Args:
    path: the file.
    values: plain values, as JSON.

  Raises:
    OSError: it cannot be written.
  """
  with replacing(path) as partial:
    partial.write_text(json.dumps(values, indent=2) + "\n", encoding="ascii")


def is_of_a_run(path: Path) -> bool:
  """Whether a file holds the settings of a run: other programs write that name too."""
  try:
    return _read(path).keys() >= _TELLTALE
  except InputError:
    return False


def recorded_threads(folder: Path) -> int | None:
  """The number of threads that a folder's run began with; does not start JAX.

  Args:
    folder: of the run's output.

  Returns:
    At least 1; None where nothing usable is recorded, as by a run on a GPU.
  """
  try:
    threads = _read(folder / CONFIG_NAME).get(CPU_THREADS)
  except InputError:
    return None
  if isinstance(threads, int) and threads is not True and 1 <= threads <= _MOST_THREADS:
    return threads
  return None


def check_same_config(path: Path, values: Mapping[str, object]) -> None:
  """Checks that a run is resumed with the settings that it began with.

  Args:
    path: the file.
    values: the settings now; the input is compared only if they hold its fingerprint.

  Raises:
    InputError: the file cannot be read, or settings differ; the line names them.
  """
  begun, now = _read(path), json.loads(json.dumps(values))
  changed = _changed_keys(begun, now)
  if len(changed) > 1 and INPUT_FINGERPRINT in changed:
    changed.remove(INPUT_FINGERPRINT)  # another size or mask setting also changes it
  if changed == [INPUT_FINGERPRINT]:
    raise InputError(
      f"--resume: {path}: that run began with other frames or another mask; give "
      "those, or name another folder"
    )
  if changed:
    words = [f"{key} ({begun.get(key)} there, {now.get(key)} here)" for key in changed]
    raise InputError(f"--resume: {path} differs from this config in {', '.join(words)}")


def _read(path: Path) -> dict[str, object]:
  try:
    begun = json.loads(path.read_text())
    if not isinstance(begun, dict):
      raise ValueError("not an object")
  except (OSError, ValueError) as error:
    raise InputError(f"{path}: cannot be read; start again with --overwrite") from error
  return begun


def _changed_keys(begun: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
  ignored = set(_IRRELEVANT)
  if not now.get("window"):
    ignored.add("overlap")
  if INPUT_FINGERPRINT not in now:
    ignored.add(INPUT_FINGERPRINT)

  def value(settings: Mapping[str, object], key: str) -> object:
    # A run of another version lacks some keys, which then count as off.
    return settings.get(key, _OFF.get(key)) or None

  keys = sorted((now.keys() | begun.keys()) - ignored)
  return [key for key in keys if value(now, key) != value(begun, key)]
