"""A run's settings: frozen dataclasses, one for each part of the program that reads
them.

A recipe (`configs/*.py`, see `recipes`) becomes a `Config` once; every value is checked
there. Each field states its type, range and meaning; `--help` and
docs/configuration.md are made from them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, get_args

from dipvid_jax.errors import InputError
from dipvid_jax.media.placement import Fit, check_smallest
from dipvid_jax.method.keys import ConfigKey, Key, Value, field_keys
from dipvid_jax.networks.generator import CHANNELS
from dipvid_jax.networks.vgg import INPUT_CONVENTIONS
from dipvid_jax.training.schedule import SCHEDULES
from flow.estimators import ESTIMATORS


@dataclasses.dataclass(frozen=True)
class SourceConfig:
  """Where the clip and its mask come from."""

  video: Annotated[
    str | None,
    Key("A video file (mp4, mov, avi, mkv, webm) or a folder of images."),
  ]
  mask: Annotated[
    str | None,
    Key("White where to fill: a video, a folder of images, or one image for all."),
  ]
  tfds: Annotated[
    str | None,
    Key(
      "Instead of video and mask: the folder or name of a TensorFlow data set "
      "(see bin/compose-set)."
    ),
  ]
  video_id: Annotated[str | None, Key("The video of that data set.")]
  mask_object: Annotated[
    int | None,
    Key("Fill only this object of an indexed annotation.", least=1, most=255),
  ]
  invert_mask: Annotated[bool, Key("The mask is black where to fill.")]
  dilate: Annotated[
    int, Key("Pixels of the input by which the hole grows on every side.", least=0)
  ]


@dataclasses.dataclass(frozen=True)
class PlacementConfig:
  """How the input lies in the working frames, and how the result goes back."""

  size: Annotated[
    tuple[int, ...],
    Key(
      "Height and width that the network works at; 0,0 is the input's own size. "
      "Padded by reflection where it does not suit the levels."
    ),
  ]
  fit: Annotated[
    Fit,
    Key(
      "crop cuts the input to the aspect of `size`, pad keeps all of it.",
      choices=get_args(Fit),
    ),
  ]
  feather: Annotated[
    int,
    Key(
      "Pixels of the input, from the hole's border inward, over which the fill is "
      "colour-corrected to meet its surroundings.",
      least=0,
      most=100,
    ),
  ]

  @property
  def content_size(self) -> tuple[int, int] | None:
    """(H, W) that the content gets; None: the input's own size."""
    height, width = self.size
    return (height, width) if height or width else None


@dataclasses.dataclass(frozen=True)
class WindowConfig:
  """How a long clip is divided."""

  window: Annotated[
    int | None,
    Key("Train on a longer clip in windows of this many frames, to save memory.", 1),
  ]
  overlap: Annotated[
    int, Key("Frames over which one window fades into the next.", least=0)
  ]


@dataclasses.dataclass(frozen=True)
class FlowConfig:
  """Where the known flow comes from."""

  estimator: Annotated[
    str,
    Key(
      "Of the flow between input frames: dis is OpenCV's; pwcnet needs weights; auto "
      "takes the package's own weights, or dis while there are none.",
      choices=ESTIMATORS,
    ),
  ]
  weights: Annotated[str | None, Key("PWC-Net's weights, published or our own.")]


@dataclasses.dataclass(frozen=True)
class PropagationConfig:
  """What the clip itself contributes to its hole (not in the paper)."""

  hide_hole: Annotated[
    bool, Key("Nothing sees the hole's content: it is filled by Telea first.")
  ]
  carry: Annotated[bool, Key("Known pixels are carried into the hole along the flow.")]


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """The generator and its input."""

  network: Annotated[
    str,
    Key("With 3d it also convolves over the frames of a batch.", choices=("2d", "3d")),
  ]
  levels: Annotated[
    int, Key("How often the network halves the size.", least=1, most=len(CHANNELS))
  ]
  network_input: Annotated[
    str,
    Key(
      "noise is the paper's; moving_noise follows the scene along the flow.",
      choices=("noise", "moving_noise"),
    ),
  ]
  noise_channels: Annotated[int, Key("Channels of the network input.", least=1)]
  random_norm_scale: Annotated[
    bool, Key("BatchNorm's scale starts random, as in PyTorch 1.0.")
  ]


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
  """Which batch is trained on when."""

  strides: Annotated[
    tuple[int, ...], Key("Distances in frames between the frames of a batch.")
  ]
  batch_size: Annotated[int, Key("Frames of a batch.", least=1)]
  schedule: Annotated[
    str,
    Key(
      "rounds: shuffled batches, then the median one (the authors' program); epochs: "
      "every batch once a round (the paper); shuffled: rounds without the median "
      "batch; middle_last: see vid.py; frames: see dip.py.",
      choices=SCHEDULES,
    ),
  ]
  rounds: Annotated[
    int, Key("Rounds; each ends with inference and a checkpoint.", least=1)
  ]
  batches_per_round: Annotated[int, Key("Batches of a round.", least=1)]
  inner_steps: Annotated[int, Key("Updates on a batch before the next one.", least=1)]
  max_updates: Annotated[
    int | None, Key("The schedule is cut after this many updates.", least=1)
  ]

  @property
  def per_frame(self) -> bool:
    """Whether every frame has a network of its own (DIP)."""
    return self.schedule == "frames"


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """The four losses' multipliers; 0 leaves a loss out."""

  image_weight: Annotated[float, Key("Of the masked L2 loss.", least=0)]
  flow_weight: Annotated[float, Key("Of the flow loss.", least=0)]
  consistency_weight: Annotated[
    float, Key("Of the warp-consistency loss in the hole.", least=0)
  ]
  perceptual_weight: Annotated[float, Key("Of the VGG16 perceptual loss.", least=0)]
  vgg_input: Annotated[
    str,
    Key(
      "What VGG16 sees: authors is BGR without normalisation; imagenet is what it "
      "was trained on.",
      choices=INPUT_CONVENTIONS,
    ),
  ]
  vgg_dtype: Annotated[
    str,
    Key(
      "Precision of VGG16; bfloat16 is meant for GPUs.",
      choices=("float32", "bfloat16"),
    ),
  ]

  @property
  def generates_flow(self) -> bool:
    """Whether a loss reads the generated flow, so that the network makes it."""
    return bool(self.flow_weight or self.consistency_weight)

  @property
  def any_weight(self) -> bool:
    """Whether there is a loss at all."""
    return bool(self.image_weight or self.generates_flow or self.perceptual_weight)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
  """The optimiser, and how the updates run on the device."""

  learning_rate: Annotated[float, Key("Adam's, in the first update.", above=0)]
  learning_rate_schedule: Annotated[
    str, Key("cosine falls to 0 at the end.", choices=("constant", "cosine"))
  ]
  batches_per_call: Annotated[
    int, Key("Batches on the device before the losses are read.", least=1)
  ]
  best_of_every: Annotated[
    int, Key("DIP: every how many updates an output may become the result.", least=1)
  ]


@dataclasses.dataclass(frozen=True)
class StoppingConfig:
  """When a run ends before its schedule does, and what that is judged by."""

  holdout_fraction: Annotated[
    float,
    Key(
      "Share of the known pixels that no loss sees; each round measures the "
      "network's PSNR on them.",
      least=0,
      most=0.5,
    ),
  ]
  stop_patience: Annotated[
    int | None,
    Key("End after this many rounds without a rise of 0.05 dB there.", least=1),
  ]
  max_minutes: Annotated[
    float | None,
    Key("End after this many minutes of reading, flow and training.", least=0),
  ]


@dataclasses.dataclass(frozen=True)
class OutputConfig:
  """The run's folder."""

  folder: Annotated[str | None, Key("A folder for the results.", name="output")]
  preview_every: Annotated[
    int, Key("Rounds between updates of preview.png and report.html.", least=1)
  ]
  checkpoint_minutes: Annotated[
    float, Key("Minutes between checkpoints, beside the one of each round.", least=0)
  ]


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
  """The fewest frames that a clip or a window must have: those of its shortest batch."""
  schedule = config.schedule
  return (schedule.batch_size - 1) * min(schedule.strides) + 1


def _check_stopping(config: Config) -> None:
  stopping = config.stopping
  if stopping.stop_patience and not stopping.holdout_fraction:
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
