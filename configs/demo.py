"""What `make demo` runs: `fast.py` with a budget for two CPU cores.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.
100 updates bring the network to a blurred clip; what is seen in the hole is mostly
carried from other frames, and the network's where nothing could be carried.

Command:
  make demo
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The recommended way with the demo's budget."""
  config = load_recipe("fast")
  config.max_updates = 100
  config.batches_per_call = 10
  return config
