"""What `make demo` runs: DIP-Vid-Flow small enough for two CPU cores.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.
`flow.py` at 96 x 192 with five levels and 300 updates instead of 102,000: the hole
gets the right colours, not yet the right texture.

Command:
  make demo
"""

import ml_collections

from dipvid_jax.configuration import load_config


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting with the demo's size and budget."""
  config = load_config("flow")
  config.size = (96, 192)
  config.levels = 5
  config.fit = "pad"
  config.max_updates = 300
  return config
