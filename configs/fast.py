"""Recommended: carries what other frames show of the hole; a network fills the rest.

No stage sees the hole's content. The flow is completed inside the hole, and known
pixels are carried into it along the flow, each with a confidence. The network learns
them weighted by that confidence and fills the rest. Its input is noise that moves with
the scene, and every update has a new batch (`flow.py`: 100 updates on each).

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019, for
the network and the image loss; the rest is not from the paper.

Command:
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out

Work: 2,000 updates without VGG16, 48 GFLOP each.
Time: 80 frames at 192x384 with max_updates=400: 473 s; 20 frames at 96x192 with five
levels and max_updates=500: 62 to 68 s. All 2,000 updates: not measured.
Quality: hole PSNR 34.6, 36.0, 27.2 dB on three clips at that smaller size, Telea's
23.1, 26.0, 22.3 (BENCHMARKS.md).
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """`flow.py` with the hole hidden, pixels carried, and another schedule."""
  config = load_recipe("flow")
  config.fit = "pad"
  config.feather = 2
  config.hide_hole = True
  config.carry = True
  config.network_input = "moving_noise"
  config.noise_channels = 8

  config.schedule = "shuffled"
  config.rounds = 4
  config.batches_per_round = 500
  config.inner_steps = 1
  config.batches_per_call = 100
  config.learning_rate_schedule = "cosine"
  config.holdout_fraction = 0.02

  config.flow_weight = 0.0
  config.consistency_weight = 0.0
  config.perceptual_weight = 0.0
  return config
