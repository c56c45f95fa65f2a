"""DIP-Vid: `flow.py`'s network without flow, trained with the image loss alone.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.

Command:
  bin/inpaint --config vid.py --video clip.mp4 --mask mask.mp4 --output out

Work: 20 epochs over all T-4 batches, shuffled, the median one last, 100 updates each:
152,000 updates of 48 GFLOP for 80 frames.
Time: not measured.
Quality: hole PSNR 24.3 dB, the mean of three clips of 20 frames at 96x192 with five
levels after 500 updates, Telea's 24.4. The full schedule: not measured
(BENCHMARKS.md, "The four methods").
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting."""
  config = load_recipe("flow")
  config.strides = (1,)
  config.schedule = "middle_last"
  config.flow_weight = 0.0
  config.consistency_weight = 0.0
  config.perceptual_weight = 0.0
  return config
