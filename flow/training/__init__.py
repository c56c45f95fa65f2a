"""Trains PWC-Net on procedural pairs, and measures it on others."""

from flow.training.evaluation import evaluate_flow, evaluation_pairs
from flow.training.losses import multiscale_loss
from flow.training.optimizer import DECAYS, make_learning_rate, make_optimizer
from flow.training.step import (
  create_flow_state,
  draw_batch,
  make_fit_flow,
)
from flow.types import TrainState

__all__ = [
  "DECAYS",
  "TrainState",
  "create_flow_state",
  "draw_batch",
  "evaluate_flow",
  "evaluation_pairs",
  "make_fit_flow",
  "make_learning_rate",
  "make_optimizer",
  "multiscale_loss",
]
