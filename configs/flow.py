"""DIP-Vid-Flow as the authors' program runs it.

Paper: Zhang et al., An Internal Learning Approach to Video Inpainting, ICCV 2019.
Where paper and program differ, this follows the program; `paper.py` is the paper's
text.

Command:
  bin/inpaint --config flow.py --video clip.mp4 --mask mask.mp4 --output out

Work: 20 rounds x (50 batches + the median one) x 100 updates = 102,000 updates of
319 GFLOP. It is meant for a GPU; on a CPU use fewer updates, for example
  --size 96x192 --config.levels=5 --config.max_updates=500
Time: 1.41 s per update at 192x384, which makes 40 hours; in full: not measured. 4,000
updates on 20 frames at 96x192 with five levels: 1,770 s, before a later speed-up. On an
NVIDIA H100 144 updates a second at 192x384 (22,400 measured): 14 minutes for them all.
Quality: hole PSNR 22.3 dB on one clip after these 4,000 updates with hide_hole=True,
Telea's 23.1; 19.4 dB on another after the 22,400, Telea's 22.9. The full schedule: not
measured (BENCHMARKS.md).
Machine: 2 cores of an AMD EPYC, and where it says so the H100.
"""

import ml_collections
from ml_collections import config_dict


def get_config() -> ml_collections.ConfigDict:
  """The authors' setting."""
  config = ml_collections.ConfigDict()

  config.video = config_dict.placeholder(str)  # a video file or a folder of images
  config.mask = config_dict.placeholder(str)  # a video, a folder, or one image
  config.tfds = config_dict.placeholder(str)  # instead of both: a data set
  config.video_id = config_dict.placeholder(str)  # one of its videos
  config.output = config_dict.placeholder(str)  # a folder for the results
  config.seed = 0

  # Height, width that the network works at; (0, 0) is the input's own. Sizes that do
  # not suit `levels` are padded by reflection, and the padding is cropped afterwards.
  config.size = (192, 384)
  config.fit = "crop"  # "crop" cuts to the aspect of `size`, "pad" keeps everything
  config.dilate = 0  # pixels of the input by which the hole grows
  # Within this many pixels of the hole's border, at the input's size, the fill is
  # colour-corrected to meet its surroundings.
  config.feather = 0
  config.invert_mask = False  # True where the mask is 0 in the hole
  config.mask_threshold = 127  # the mask's pixels above it are filled
  config.mask_object = config_dict.placeholder(int)  # one object of an annotation

  config.flow = ml_collections.ConfigDict()
  # "pwcnet", as the authors use, needs weights; "auto": the package's own, or DIS
  config.flow.estimator = "dis"
  config.flow.weights = config_dict.placeholder(str)

  # Not in the paper: see configs/fast.py.
  config.hide_hole = False  # True hides the hole's content from every stage
  config.carry = False  # True carries known pixels into the hole along the flow
  config.carry_side = 360  # pixels: with carry, the shorter side of the frames for it
  config.least_uncarried = 0.0  # share of the hole left to a network, else none trains
  config.network_input = "noise"  # "moving_noise" moves with the scene
  config.noise_channels = 1

  # Longer clips are divided into windows, each trained on its own.
  config.window = config_dict.placeholder(int)  # frames of a window
  config.overlap = 10  # frames over which a window fades into the next
  config.checkpoint_minutes = 10.0  # between checkpoints, besides one per round

  config.network = "2d"  # "3d" also convolves over the frames of a batch
  config.levels = 6
  config.random_norm_scale = False  # True draws BatchNorm's scale as PyTorch 1.0 did
  config.second_kernel = 1  # of a level's way up; 3 in the paper, see paper.py
  config.initialization = "pytorch"  # "lecun" in the paper

  config.strides = (1, 3, 5)
  config.batch_size = 5
  # "epochs": a round is every batch once; "shuffled": no median batch in a round;
  # "middle_last": see vid.py; "frames": see dip.py
  config.schedule = "rounds"
  config.rounds = 20
  config.batches_per_round = 50
  config.inner_steps = 100  # updates of a batch before the next one
  config.batches_per_call = 1  # batches on the device before the losses are read
  # On a GPU "default" is TensorFloat-32 where it has it, "highest" float32 and slower.
  config.matmul_precision = "default"
  config.max_updates = config_dict.placeholder(int)  # per network
  # Share of the known pixels kept from training: each round measures its PSNR there.
  config.holdout_fraction = 0.0
  # The run ends early after this many rounds without a rise of 0.05 dB there, or after
  # this many minutes of reading, flow and training.
  config.stop_patience = config_dict.placeholder(int)
  config.max_minutes = config_dict.placeholder(float)
  config.preview_every = 1  # rounds between updates of preview.png and report.html
  config.best_of_every = 1  # "frames": updates between candidates for the result
  config.learning_rate = 0.01
  config.learning_rate_schedule = "constant"  # "cosine" falls to 0 at the end

  config.image_weight = 1.0
  config.flow_weight = 0.1
  config.consistency_weight = 1.0
  config.perceptual_weight = 0.01
  config.vgg_input = "authors"  # or "imagenet"
  config.vgg_dtype = "float32"  # or "bfloat16", meant for GPUs (not measured)
  config.perceptual_mask = "dilated"  # "resized" in the paper
  config.consistency_both_ways = False  # True in the paper's equation
  return config
