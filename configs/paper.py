"""DIP-Vid-Flow as the paper's text has it, where `flow.py` is the authors' program.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019,
with its supplement.

Command:
  bin/inpaint --config paper.py --video clip.mp4 --mask mask.mp4 --output out

Differs from `flow.py` in the schedule (every batch once an epoch), the second kernel of
a level's way up, the initial weights, the mask of the perceptual loss and the gradient
of the consistency loss. Where the text is silent (what VGG16 sees, the flow's scale,
the visibility of flow), both follow the program.

Work: 20 epochs of every batch, 100 updates each: 816,000 updates for 80 frames.
Time: not measured; eight times as many updates as `flow.py`.
Quality: not measured. Machine: none.
"""

import ml_collections

from dipvid_jax import load_recipe


def get_config() -> ml_collections.ConfigDict:
  """The paper's setting."""
  config = load_recipe("flow")
  config.schedule = "epochs"
  config.second_kernel = 3
  config.initialization = "lecun"
  config.perceptual_mask = "resized"
  config.consistency_both_ways = True
  return config
