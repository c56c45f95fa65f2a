"""Optical flow: warping, visibility, PWC-Net and DIS, the flow of a whole clip."""

from flow.chains import offsets_to
from flow.completion import complete_video_flow
from flow.consistency import visible_mask
from flow.errors import InputError
from flow.estimators import Estimator, make_estimator
from flow.flo_files import end_point_error, read_flo
from flow.pwcnet.checkpoints import load_pwcnet
from flow.pwcnet.network import PWCNet
from flow.scenes import find_scenes, scene_flow
from flow.store import stored_video_flow
from flow.video_flow import (
  PairFlow,
  VideoFlow,
  estimate_video_flow,
  neighbour_flow,
)
from flow.warp import backward_warp

__all__ = [
  "Estimator",
  "InputError",
  "PWCNet",
  "PairFlow",
  "VideoFlow",
  "backward_warp",
  "complete_video_flow",
  "end_point_error",
  "estimate_video_flow",
  "find_scenes",
  "load_pwcnet",
  "make_estimator",
  "neighbour_flow",
  "offsets_to",
  "read_flo",
  "scene_flow",
  "stored_video_flow",
  "visible_mask",
]
