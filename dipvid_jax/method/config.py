"""Configs: finding their files, loading them, checking their values."""

import importlib.util
import math
from pathlib import Path
from typing import Any, get_args

import ml_collections

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import Fit, check_smallest
from dipvid_jax.networks.generator import CHANNELS
from dipvid_jax.networks.vgg import INPUT_CONVENTIONS
from dipvid_jax.training.schedule import SCHEDULES
from flow.estimators import ESTIMATORS

_ACCEPTED = {float: (float, int), tuple: (tuple, list)}
_REFERENCE = "flow.py"  # the config that has every key
LOSSES = ("image", "flow", "consistency", "perceptual")
_WEIGHTS = tuple(f"{name}_weight" for name in LOSSES)
_COUNTS = (
  *("rounds", "batches_per_round", "inner_steps", "max_updates"),
  *("batches_per_call", "noise_channels", "best_of_every"),
  *("stop_patience", "preview_every"),
)
_SMALLEST = {
  **dict.fromkeys(_COUNTS, 1),
  **dict.fromkeys(("seed", "dilate", "feather", *_WEIGHTS), 0),
  **dict.fromkeys(("max_minutes", "holdout_fraction"), 0),
  **dict.fromkeys(("overlap", "checkpoint_minutes"), 0),
  "window": 1,
  "levels": 1,
  "batch_size": 1,
}
_LARGEST_HOLDOUT = 0.5
_KEYS_NAMED = 10
_LARGEST = {"seed": 2**32 - 1, "feather": 100}


def config_folder() -> Path:
  """The folder of the shipped configs: in the wheel, or in the checkout."""
  package = Path(__file__).resolve().parents[1]
  installed = package / "configs"
  return installed if installed.is_dir() else package.parent / "configs"


def find_config(name: str) -> Path:
  """Finds a config file.

  Args:
    name: a path, or the name of a shipped config with or without `.py`.

  Returns:
    The file's path.

  Raises:
    InputError: there is no such file; the line lists the shipped configs.
  """
  path = Path(name)
  if path.name and path.parent == Path() and not name.startswith("."):
    path = config_folder() / path.with_suffix(".py")
  try:
    if path.is_file():
      return path
  except OSError as error:
    raise InputError(f"--config {name}: {error.strerror}") from error
  shipped = ", ".join(sorted(p.name for p in config_folder().glob("*.py")))
  raise InputError(f"--config {name}: no such config; there are {shipped}")


def load_config(name: str = "flow") -> ml_collections.ConfigDict:
  """Loads a config by name or path, for use with `inpaint_video`.

  Args:
    name: see `find_config`.

  Returns:
    A config whose keys are fixed and whose values can be set.

  Raises:
    InputError: there is no such file, it fails, or its keys or their types are not
      those of `configs/flow.py`.
  """
  path = find_config(name)
  config = _get_config(path)
  reference = config_folder() / _REFERENCE
  if path.resolve() != reference.resolve():
    _check_keys(path, config, _get_config(reference))
  config.lock()
  return config


def _get_config(path: Path) -> ml_collections.ConfigDict:
  spec = importlib.util.spec_from_file_location(f"dipvid_config_{path.stem}", path)
  if spec is None or spec.loader is None:
    raise InputError(f"--config {path}: not a Python file")
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
      raise InputError(f"--config {path}: the file defines no get_config()")
    config = module.get_config()
  except InputError:
    raise
  except (Exception, SystemExit) as error:  # a user's file can fail in any way
    # ml_collections adds all fields to its words about an unknown one.
    reason = " ".join(str(error).split(" Other fields")[0].split()).strip("'")
    raise InputError(f"--config {path}: {type(error).__name__}: {reason}") from error
  if not isinstance(config, ml_collections.ConfigDict):
    raise InputError(f"--config {path}: get_config() must return a ConfigDict")
  return config


def _check_keys(path: Path, config, reference) -> None:
  """Checks that a config has the keys of another, with values of the same types."""
  begin = f'; begin with load_config("{Path(_REFERENCE).stem}")'
  if unknown := sorted(set(config) - set(reference)):
    raise InputError(f"--config {path}: unknown key {', '.join(unknown)}{begin}")
  if missing := sorted(set(reference) - set(config)):
    few = ", ".join(missing[:_KEYS_NAMED])
    if len(missing) > _KEYS_NAMED:
      few += f" and {len(missing) - _KEYS_NAMED} more"
    raise InputError(f"--config {path}: missing key {few}{begin}")
  for key in reference:
    value, wanted = config[key], reference.get_type(key)
    if isinstance(value, ml_collections.ConfigDict):
      _check_keys(path, value, reference[key])
    elif value is not None and not isinstance(value, _ACCEPTED.get(wanted, wanted)):
      raise InputError(
        f"--config {path}: {key} must be of type {wanted.__name__}, got {value!r}"
      )


def check_config(config: ml_collections.ConfigDict) -> None:
  """Checks every value before any work is done.

  Args:
    config: from `load_config`, with the user's values set.

  Raises:
    InputError: one line that names the key, its value and what it takes.
  """
  for key, smallest in _SMALLEST.items():
    value = config[key]
    if value is not None and not (math.isfinite(value) and value >= smallest):
      raise InputError(f"config.{key}: must be {smallest} or more, got {value}")
  for key, largest in _LARGEST.items():
    if config[key] > largest:
      raise InputError(f"config.{key}: must be {largest} or less, got {config[key]}")
  if not (math.isfinite(config.learning_rate) and config.learning_rate > 0):
    raise InputError(
      f"config.learning_rate: must be above 0, got {config.learning_rate}"
    )
  if not any(reads(config, name) for name in LOSSES):
    raise InputError("config: every loss has weight 0; set image_weight")
  _check_sizes(config)
  choices = {
    "fit": (config.fit, get_args(Fit)),
    "network": (config.network, ("2d", "3d")),
    "schedule": (config.schedule, SCHEDULES),
    "learning_rate_schedule": (config.learning_rate_schedule, ("constant", "cosine")),
    "network_input": (config.network_input, ("noise", "moving_noise")),
    "vgg_input": (config.vgg_input, INPUT_CONVENTIONS),
    "vgg_dtype": (config.vgg_dtype, ("float32", "bfloat16")),
    "flow.estimator": (config.flow.estimator, ESTIMATORS),
  }
  for key, (value, allowed) in choices.items():
    if value not in allowed:
      raise InputError(f"config.{key}: {value!r} is not one of {', '.join(allowed)}")
  _check_method(config)
  _check_stopping(config)


def reads(config: ml_collections.ConfigDict, loss: str) -> bool:
  """Whether one of `LOSSES` has a weight."""
  return bool(config[f"{loss}_weight"])


def generates_flow(config: ml_collections.ConfigDict) -> bool:
  """Whether a loss reads the generated flow, so that the network makes it."""
  return reads(config, "flow") or reads(config, "consistency")


def follows_scene(config: ml_collections.ConfigDict) -> bool:
  """Whether the run chains the flow between neighbouring frames."""
  return bool(config.carry) or config.network_input == "moving_noise"


def placing(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """The config's part of `place`'s arguments; `size` (0, 0) is the input's own."""
  size = tuple(config.size)
  return {
    "size": size if any(size) else None,
    "fit": config.fit,
    "levels": config.levels,
  }


def _check_method(config):
  """Settings that exclude each other."""
  if generates_flow(config) and config.batch_size < 2:
    raise InputError(
      "config.batch_size: flow needs a pair of frames; take 2 or more, or set "
      "flow_weight and consistency_weight to 0"
    )
  frames = config.schedule == "frames"
  if frames and (config.batch_size != 1 or not reads(config, "image")):
    raise InputError(
      'config.schedule: "frames" trains a network on each frame alone; it needs '
      "batch_size=1 and an image_weight"
    )


def _check_stopping(config):
  if config.holdout_fraction > _LARGEST_HOLDOUT:
    raise InputError(
      f"config.holdout_fraction: must be 0 to {_LARGEST_HOLDOUT}, got "
      f"{config.holdout_fraction}"
    )
  if config.stop_patience and not config.holdout_fraction:
    raise InputError(
      "config.stop_patience: waits for held-out pixels; set holdout_fraction, such as "
      "0.02"
    )
  unfit = ("max_minutes", "stop_patience", "holdout_fraction")
  given = [key for key in unfit if config[key]]
  if config.schedule == "frames" and given:
    raise InputError(
      f'config.{given[0]}: schedule="frames" finishes one frame after another, so '
      "there is nothing to measure or to end before all are done; leave it out"
    )


def _check_sizes(config):
  if config.levels > len(CHANNELS):
    raise InputError(
      f"config.levels: must be 1 to {len(CHANNELS)}, got {config.levels}"
    )
  size, strides = tuple(config.size), tuple(config.strides)
  if size != (0, 0):
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
      raise InputError(
        f"config.size: must be (height, width) in pixels, got {size}; or (0, 0) for"
        " the input's own"
      )
    check_smallest(size, config.levels)
  if (
    not strides
    or len(set(strides)) != len(strides)
    or not all(isinstance(t, int) and t > 0 for t in strides)
  ):
    raise InputError(
      f"config.strides: must be different numbers above 0, got {strides}"
    )
  _check_window(config)
  if follows_scene(config) and 1 not in strides:
    raise InputError(
      "config.carry and a network_input that follows the scene need stride 1 in"
      " config.strides"
    )


def _check_window(config):
  if config.window is None:
    return
  needed = (config.batch_size - 1) * min(config.strides) + 1
  if config.window < needed:
    raise InputError(
      f"--window {config.window}: a batch of {config.batch_size} at stride "
      f"{min(config.strides)} needs {needed} frames; use a larger window"
    )
  if 2 * config.overlap > config.window:
    raise InputError(
      f"--overlap {config.overlap}: must be at most half of --window {config.window}"
    )
