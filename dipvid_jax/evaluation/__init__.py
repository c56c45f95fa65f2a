"""How good a result is, under the field's protocols."""

from dipvid_jax.evaluation.clip import DEFAULT_MEASURES, MEASURES, evaluate_clip
from dipvid_jax.evaluation.frame_quality import (
  hole_psnr,
  hole_ssim,
  paper_quality,
  sttn_quality,
)
from dipvid_jax.evaluation.temporal_consistency import PatchSearch, temporal_consistency

__all__ = [
  "DEFAULT_MEASURES",
  "MEASURES",
  "PatchSearch",
  "evaluate_clip",
  "hole_psnr",
  "hole_ssim",
  "paper_quality",
  "sttn_quality",
  "temporal_consistency",
]
