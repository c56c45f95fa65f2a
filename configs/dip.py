"""DIP: a separate network for every frame, which sees no other frame.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019,
after Ulyanov et al., Deep Image Prior, CVPR 2018. The result is the output with the
lowest image loss among all updates, as in the authors' program; `best_of_every=100` is
the paper's choice. Weight noise, an option of that program, has no effect there.

Command:
  bin/inpaint --config dip.py --video clip.mp4 --mask mask.mp4 --output out

Work: 5,000 updates per frame, 9.6 GFLOP each.
Time: 0.088 s per update at 96x192 with five levels, on a loaded machine.
Quality: hole PSNR 26.6 dB, the mean of three clips of 20 frames at that size after 500
updates per frame, Telea's 24.4. The full schedule: not measured (BENCHMARKS.md,
"The four methods").
Machine: 2 cores of an AMD EPYC. On a GPU: not measured.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting."""
  config = load_recipe("vid")
  config.batch_size = 1
  config.schedule = "frames"  # a round is a frame
  config.batches_per_round = 50  # times inner_steps: 5,000 updates of a network
  return config
