"""The parts of a config, a frozen dataclass for each part of the program that reads it.

Each field states its type, range and meaning; `--help` and docs/configuration.md are
made from them.
"""

import dataclasses
from typing import Annotated, get_args

from dipvid_jax.media.placement import Fit
from dipvid_jax.method.keys import Key
from dipvid_jax.networks.generator import CHANNELS
from dipvid_jax.networks.vgg import INPUT_CONVENTIONS, MASK_FORMS
from dipvid_jax.training.precision import PRECISIONS
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
  mask_threshold: Annotated[
    int,
    Key(
      "Pixels of the mask above this value (after its inversion) are filled; 0 fills "
      "all that is marked at all.",
      least=0,
      most=254,
    ),
  ]
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
  carry_side: Annotated[
    int,
    Key(
      "With carry: pixels of the shorter side, at most, of the frames in which flow is "
      "found and pixels are carried, whatever size the network works at.",
      least=16,
    ),
  ]
  least_uncarried: Annotated[
    float,
    Key(
      "With carry: a network is trained where nothing is carried to at least this "
      "share of the hole's pixels; with 0 always.",
      least=0,
      most=1,
    ),
  ]

  @property
  def side(self) -> int | None:
    """`carry_side` with `carry`; None: the working size is the network's."""
    return self.carry_side if self.carry else None


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
  second_kernel: Annotated[
    int,
    Key(
      "Side of the second kernel of a level's way up: 1 in the authors' program, 3 in "
      "the paper.",
      choices=(1, 3),
    ),
  ]
  initialization: Annotated[
    str,
    Key(
      "pytorch: uniform on +-1/sqrt(inputs), the authors' program; lecun: normal with "
      "deviation 1/sqrt(inputs) and no bias, the paper.",
      choices=("pytorch", "lecun"),
    ),
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
  perceptual_mask: Annotated[
    str,
    Key(
      "dilated: features that saw the hole do not count (the authors' program); "
      "resized: the hole reduced to the features' size (the paper).",
      choices=MASK_FORMS,
    ),
  ]
  consistency_both_ways: Annotated[
    bool,
    Key(
      "The consistency loss also moves the frame that a warped one is compared with "
      "(the paper's equation)."
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
  matmul_precision: Annotated[
    str,
    Key(
      "Of the network's float32 products and convolutions on a GPU: default is JAX's, "
      "TensorFloat-32 where the GPU has it; highest is float32, slower. A CPU gives "
      "the same bits with both.",
      choices=PRECISIONS,
    ),
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
      "network's PSNR on them. With carry, 0 measures the result under copies of the "
      "hole instead.",
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
