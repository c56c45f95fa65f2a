"""What `make demo` runs: `fast.py` with a budget for two CPU cores.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.
After 100 updates the network's clip is still blurred. Most of what you see in the hole
is carried from other frames; the network fills what could not be carried.

Command:
  make demo

Time: 156 s for 24 frames at 192x384, installation included.
Quality: hole PSNR 28.0 dB, Telea's 17.2 (BENCHMARKS.md, "Whole runs").
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The recommended recipe with the demo's budget."""
  config = load_recipe("fast")
  config.max_updates = 20
  return config
