"""How good a result is, measured by the field's protocols."""

from dipvid_jax.evaluation.clip import DEFAULT_MEASURES, MEASURES, evaluate_clip
from dipvid_jax.evaluation.fid import frechet_distance, paper_fid
from dipvid_jax.evaluation.frame_quality import (
  hole_ssim,
  paper_quality,
  region_quality,
  sttn_quality,
)
from dipvid_jax.evaluation.inception import frame_features, load_inception
from dipvid_jax.evaluation.lpips import load_lpips, lpips_distance
from dipvid_jax.evaluation.summary import Evaluation, partition, summarise
from dipvid_jax.evaluation.tables import table_2
from dipvid_jax.evaluation.temporal_consistency import PatchSearch, temporal_consistency
from dipvid_jax.evaluation.warping_error import warping_error
from dipvid_jax.metrics import hole_psnr

__all__ = [
  "DEFAULT_MEASURES",
  "MEASURES",
  "Evaluation",
  "PatchSearch",
  "evaluate_clip",
  "frame_features",
  "frechet_distance",
  "hole_psnr",
  "hole_ssim",
  "load_inception",
  "load_lpips",
  "lpips_distance",
  "paper_fid",
  "paper_quality",
  "partition",
  "region_quality",
  "sttn_quality",
  "summarise",
  "table_2",
  "temporal_consistency",
  "warping_error",
]
