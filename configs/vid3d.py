"""DIP-Vid-3DCN: `vid.py` with 3D convolutions over the frames of a batch.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.

Command:
  bin/inpaint --config vid3d.py --video clip.mp4 --mask mask.mp4 --output out

Work: as `vid.py`, about three times the arithmetic an update; a CPU is very slow at
3D convolutions. Time: see BENCHMARKS.md.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting."""
  config = load_recipe("vid")
  config.network = "3d"
  return config
