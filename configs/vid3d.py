"""DIP-Vid-3DCN: `vid.py` with 3D convolutions over the frames of a batch.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.

Command:
  bin/inpaint --config vid3d.py --video clip.mp4 --mask mask.mp4 --output out

Work: the updates of `vid.py` with about three times the arithmetic, 137 GFLOP each.
Time: 0.80 s per update at 96x192 with five levels, on a loaded machine.
Quality: hole PSNR 24.2 dB, the mean of three clips of 20 frames at that size after 500
updates, Telea's 24.4. The full schedule: not measured (BENCHMARKS.md, "The
four methods").
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting."""
  config = load_recipe("vid")
  config.network = "3d"
  return config
