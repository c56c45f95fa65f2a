"""Masks of all frames from a few painted ones, learnt from this clip alone."""

from dipvid_jax.masking.propagation.looks import Looks
from dipvid_jax.masking.propagation.propagate import (
  UPDATES,
  Masks,
  propagate_masks,
  propagation_work,
)

__all__ = ["UPDATES", "Looks", "Masks", "propagate_masks", "propagation_work"]
