"""The recommended way: what the clip itself shows of its hole first, then the network.

The hole's content is hidden from everything. The flow is completed inside the hole and
known pixels are carried into it along the flow, each with a confidence; the network
learns them by that confidence and fills the rest. Its input is noise that moves with
the scene, and every update has another batch (of `flow.py`'s 100 updates on one).

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019, for
the network and the image loss; the rest is not in it.

Command:
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out

Work: 2,000 updates without VGG16, 49 GFLOP each. Time and quality: BENCHMARKS.md.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """`flow.py` with the hole hidden, pixels carried, and another order."""
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
