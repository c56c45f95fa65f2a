"""Optical flow: warping, visibility, PWC-Net and DIS, the flow of a whole clip."""

from flow.consistency import visible_mask
from flow.errors import InputError
from flow.estimators import Estimator, make_estimator
from flow.store import stored_video_flow
from flow.video_flow import PairFlow, VideoFlow, estimate_video_flow
from flow.warp import backward_warp

__all__ = [
  "Estimator",
  "InputError",
  "PairFlow",
  "VideoFlow",
  "backward_warp",
  "estimate_video_flow",
  "make_estimator",
  "stored_video_flow",
  "visible_mask",
]
