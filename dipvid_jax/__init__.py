"""Video inpainting by internal learning (Zhang et al., ICCV 2019) in JAX.

Three doors: `inpaint_video` for a clip in memory; `train_step`, `fit_batch` and the
losses for other research code; `bin/inpaint` for files. The names of `__all__` are the
promise; everything else may move.
"""

import flow as _flow

if not hasattr(_flow, "estimate_video_flow"):
  raise ImportError(
    f"the package flow at {_flow.__file__} is not the one that dipvid_jax installs; "
    "rename it, or run from another folder"
  )

from dipvid_jax.clip_lists.inpaint_many import inpaint_many
from dipvid_jax.clip_lists.job import Job, Outcome
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.jax_setup import set_up_jax
from dipvid_jax.masking.propagation import Masks, propagate_masks
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.preparation import prepare
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.method.callbacks import Callbacks
from dipvid_jax.method.config import Config
from dipvid_jax.method.pipeline import Inpainted, inpaint_video
from dipvid_jax.method.recipes import load_config, load_recipe, parse_recipe
from dipvid_jax.metrics import hole_psnr, psnr
from dipvid_jax.networks.generator import EncoderDecoder
from dipvid_jax.networks.vgg import feature_hole_masks, load_vgg16, vgg16_features
from dipvid_jax.training.batching import (
  DeviceClip,
  DeviceFlow,
  draw_noise,
  put_clip,
  put_flow,
  take_batch,
)
from dipvid_jax.training.fit import make_fit_visits
from dipvid_jax.training.initial_state import create_train_state
from dipvid_jax.training.losses import (
  consistency_loss,
  flow_loss,
  masked_l2_loss,
  perceptual_loss,
)
from dipvid_jax.training.objective import (
  Loss,
  Losses,
  add_known_features,
  consistency_term,
  flow_term,
  image_term,
  make_losses,
  pair_flow,
)
from dipvid_jax.training.render import inference_windows, make_render
from dipvid_jax.training.schedule import make_schedule
from dipvid_jax.training.step import TrainState, fit_batch, make_train_step, make_update
from dipvid_jax.training.stopping import Stopping
from dipvid_jax.types import Batch, Outputs, Video

__version__ = "0.1.0"

__all__ = [
  "Batch",
  "Callbacks",
  "Config",
  "DeviceClip",
  "DeviceFlow",
  "DivergedError",
  "EncoderDecoder",
  "Inpainted",
  "InputError",
  "Job",
  "Loss",
  "Losses",
  "Masks",
  "Outcome",
  "Outputs",
  "Stopping",
  "TrainState",
  "Video",
  "add_known_features",
  "consistency_loss",
  "consistency_term",
  "create_train_state",
  "draw_noise",
  "feature_hole_masks",
  "fit_batch",
  "flow_loss",
  "flow_term",
  "hole_psnr",
  "image_term",
  "inference_windows",
  "inpaint_many",
  "inpaint_video",
  "load_config",
  "load_recipe",
  "load_vgg16",
  "make_fit_visits",
  "make_losses",
  "make_render",
  "make_schedule",
  "make_train_step",
  "make_update",
  "masked_l2_loss",
  "pair_flow",
  "parse_recipe",
  "perceptual_loss",
  "prepare",
  "propagate_masks",
  "psnr",
  "put_clip",
  "put_flow",
  "read_mask",
  "read_video",
  "set_up_jax",
  "take_batch",
  "vgg16_features",
  "write_video",
]
