"""Recommended: carries what other frames show of the hole; a network fills the rest.

No stage sees the hole's content. Known pixels are carried into the hole along the flow,
which is searched there again on what was carried, in turn; they are joined to their
surroundings and sampled from the input at its own size. Copies of the hole over known
parts of the clip prove how to mix them with Telea's filling, and whether the network
may have a share. The network learns the carried pixels by their trust. Its input is
noise that moves with the scene, and every update has a new batch (`flow.py`: 100
updates on each).

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019, for
the network and the image loss; the rest is not from the paper.

Command:
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out

Work: no update where pixels are carried to 99% of the hole; else 50 without VGG16, 48
GFLOP each. Always: --config.least_uncarried=0. More: --config.batches_per_round=2000.
Time: 80 frames of 240x432: 61 s, of which 42 s carry; 146 s with 50 updates at 192x384.
Quality: hole PSNR 30.4 dB without the network, mean of fifteen clips of 20 frames; the
better of Telea and simple propagation on each has 28.1. In 126 trainings the network
never changed that by more than 0.03 dB (BENCHMARKS.md, "Ways to train the network").
Machine: 2 cores of an AMD EPYC. On an H100, 10,000 updates in 29 to 38 s: 0.4 to 1.5 dB
below what is carried or guessed, on two clips.
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
  config.least_uncarried = 0.01
  config.network_input = "moving_noise"
  config.noise_channels = 8

  config.schedule = "shuffled"
  config.rounds = 1
  config.batches_per_round = 50
  config.inner_steps = 1
  config.batches_per_call = 10
  config.learning_rate_schedule = "cosine"

  config.flow_weight = 0.0
  config.consistency_weight = 0.0
  config.perceptual_weight = 0.0
  return config
