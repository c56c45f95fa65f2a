"""What `make demo` runs: `fast.py` with a budget for two CPU cores.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.
What you see in the hole is carried from other frames; nothing is left to train.

Command:
  make demo

Time: 118 s for 24 frames of 360x640, installation included.
Quality: hole PSNR 29.8 dB, Telea's 17.2 (BENCHMARKS.md, "Whole runs").
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The recommended recipe with the demo's budget."""
  config = load_recipe("fast")
  config.max_updates = 20
  return config
