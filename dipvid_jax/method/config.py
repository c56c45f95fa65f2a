"""`Config`: all settings of a run, valid together.

A recipe (`configs/*.py`, see `recipes`) becomes a `Config` once, and every value is
checked there.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import check_smallest
from dipvid_jax.method.keys import ConfigKey, Key, Value, field_keys
from dipvid_jax.method.settings import (
  FlowConfig,
  LossWeights,
  NetworkConfig,
  OutputConfig,
  PlacementConfig,
  PropagationConfig,
  ScheduleConfig,
  SourceConfig,
  StoppingConfig,
  TrainingConfig,
  WindowConfig,
)


@dataclasses.dataclass(frozen=True)
class Config:
  """All settings of a run, valid together.

  Made by `recipes.load_config` or from a mapping by `make_config`.

  Raises:
    InputError: settings that exclude each other, in one line.
  """

  source: SourceConfig
  placement: PlacementConfig
  windows: WindowConfig
  flow: FlowConfig
  propagation: PropagationConfig
  network: NetworkConfig
  schedule: ScheduleConfig
  losses: LossWeights
  training: TrainingConfig
  stopping: StoppingConfig
  output: OutputConfig
  seed: Annotated[
    int,
    Key("Same seed, same machine, same result.", least=0, most=2**32 - 1),
  ]

  def __post_init__(self) -> None:
    """Checks the rules that more than one key takes part in."""
    if not self.losses.any_weight:
      raise InputError("config: every loss has weight 0; set image_weight")
    _check_sizes(self)
    _check_batches(self)
    _check_windows(self)
    _check_stopping(self)

  @property
  def follows_scene(self) -> bool:
    """Whether the run chains the flow between neighbouring frames."""
    return self.propagation.carry or self.network.network_input == "moving_noise"

  def to_dict(self) -> dict[str, object]:
    """The settings as a recipe has them: plain values, `flow`'s in a dict."""
    plain: dict[str, object] = {}
    nested: dict[str, Value] = {}
    for name, value in self.values().items():
      outer, _, inner = name.partition(".")
      if inner:
        nested[inner] = value
        plain[outer] = nested
      else:
        plain[outer] = value
    return plain

  def replace(self, **changes: object) -> "Config":
    """A config in which some keys have other values.

    Args:
      changes: values by the keys' names in a recipe, as `levels=5`; those of the flow
        as `**{"flow.estimator": "pwcnet"}`.

    Returns:
      The config, checked.

    Raises:
      InputError: an unknown key or a wrong value.
    """
    return make_config({**self.values(), **changes})

  def values(self) -> dict[str, Value]:
    """Every value by its key's name in a recipe, such as `flow.estimator`."""
    return {
      key.name: getattr(getattr(self, key.group) if key.group else self, key.field)
      for key in CONFIG_KEYS.values()
    }


_GROUPS = {
  field.name: field.type
  for field in dataclasses.fields(Config)
  if isinstance(field.type, type)
}


def _all_keys() -> dict[str, ConfigKey]:
  keys = [
    key
    for group, holder in _GROUPS.items()
    for key in field_keys(group, holder, prefix="flow." if group == "flow" else "")
  ]
  keys += field_keys("", Config)
  return {key.name: key for key in keys}


CONFIG_KEYS = _all_keys()
"""Every key of a recipe by its name, in the order of the docs."""


def make_config(values: Mapping[str, object]) -> Config:
  """Makes a config of plain values.

  Args:
    values: every key of `CONFIG_KEYS`, by name.

  Returns:
    The config, checked.

  Raises:
    InputError: one line that names the key, its value and what it takes.
  """
  for name in values:
    if name not in CONFIG_KEYS:
      raise InputError(f"config: unknown key {name}")
  fields: dict[str, dict[str, Value]] = {group: {} for group in ("", *_GROUPS)}
  for name, key in CONFIG_KEYS.items():
    if name not in values:
      raise InputError(f"config: missing key {name}")
    fields[key.group][key.field] = key.convert(values[name])
  groups = {group: holder(**fields[group]) for group, holder in _GROUPS.items()}
  return Config(**groups, **fields[""])  # type: ignore[arg-type]


def _check_sizes(config: Config) -> None:
  size = config.placement.size
  if size != (0, 0):
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
      raise InputError(
        f"config.size: must be (height, width) in pixels, got {size}; or (0, 0) for"
        " the input's own"
      )
    check_smallest((size[0], size[1]), config.network.levels)


def _check_batches(config: Config) -> None:
  schedule, losses = config.schedule, config.losses
  strides = schedule.strides
  if (
    not strides
    or len(set(strides)) != len(strides)
    or not all(isinstance(t, int) and t > 0 for t in strides)
  ):
    raise InputError(
      f"config.strides: must be different numbers above 0, got {strides}"
    )
  if config.follows_scene and 1 not in strides:
    raise InputError(
      "config.carry and a network_input that follows the scene need stride 1 in"
      " config.strides"
    )
  if losses.generates_flow and schedule.batch_size < 2:
    raise InputError(
      "config.batch_size: flow needs a pair of frames; take 2 or more, or set "
      "flow_weight and consistency_weight to 0"
    )
  if schedule.per_frame and (schedule.batch_size != 1 or not losses.image_weight):
    raise InputError(
      'config.schedule: "frames" trains a network on each frame alone; it needs '
      "batch_size=1 and an image_weight"
    )


def _check_windows(config: Config) -> None:
  window, overlap = config.windows.window, config.windows.overlap
  if window is None:
    return
  needed = needed_frames(config)
  if window < needed:
    raise InputError(
      f"--window {window}: a batch of {config.schedule.batch_size} at stride "
      f"{min(config.schedule.strides)} needs {needed} frames; use a larger window"
    )
  if 2 * overlap > window:
    raise InputError(f"--overlap {overlap}: must be at most half of --window {window}")


def needed_frames(config: Config) -> int:
  """The fewest frames that a clip or a window must have: those of a batch."""
  schedule = config.schedule
  return (schedule.batch_size - 1) * min(schedule.strides) + 1


def _check_stopping(config: Config) -> None:
  stopping = config.stopping
  measured = stopping.holdout_fraction or config.propagation.carry
  if stopping.stop_patience and not measured:
    raise InputError(
      "config.stop_patience: waits for held-out pixels; set holdout_fraction, such as "
      "0.02"
    )
  given = [
    field.name
    for field in reversed(dataclasses.fields(stopping))
    if getattr(stopping, field.name)
  ]
  if config.schedule.per_frame and given:
    raise InputError(
      f'config.{given[0]}: schedule="frames" finishes one frame after another, so '
      "there is nothing to measure or to end before all are done; leave it out"
    )
