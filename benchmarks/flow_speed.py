"""Pairs of frames per second: DIS and PWC-Net."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from benchmarks.pytorch.pwc_names import random_weights
from benchmarks.scene import draw_clip
from flow.estimators import DISEstimator, Estimator, PWCNetEstimator
from flow.pwcnet.checkpoints import pwcnet_variables

COLUMNS = {
  "estimator": "estimator",
  "pairs_per_second": "pairs/s",
  "spread": "spread",
  "flows_80_frames_s": "s for 462 flows",
  "first_call_s": "first call, s",
}
_FLOWS_OF_80_FRAMES = 462  # strides 1, 3 and 5, both ways


def measure(*, height: int, width: int, repeats: int) -> Iterator[dict[str, Any]]:
  """Times both estimators; PWC-Net has random weights, which cost the same.

  Args:
    height, width: size of the frames.
    repeats: timed calls.

  Yields:
    A row for each estimator.
  """
  for name, estimator in make_estimators().items():
    yield {
      "estimator": name,
      "height": height,
      "width": width,
      "device": jax.default_backend() if name == "pwcnet" else "cpu",
      "repeats": repeats,
      **_time(estimator, height, width, repeats),
    }


def make_estimators() -> dict[str, Estimator]:
  """What is timed, by name."""
  variables = pwcnet_variables(random_weights(0), source="random weights")
  return {"dis": DISEstimator(), "pwcnet": PWCNetEstimator(variables, "random")}


def _time(
  estimator: Estimator, height: int, width: int, repeats: int
) -> dict[str, Any]:
  pairs = estimator.pairs_per_call
  frames, _ = draw_clip(pairs + 1, height=height, width=width)
  began = time.perf_counter()
  estimator(frames[:-1], frames[1:])
  first_call = time.perf_counter() - began
  rates = []
  for _ in range(repeats):
    began = time.perf_counter()
    np.asarray(estimator(frames[:-1], frames[1:]))
    rates.append(pairs / (time.perf_counter() - began))
  median = statistics.median(rates)
  return {
    "pairs_per_second": round(median, 3),
    "spread": [round(min(rates), 3), round(max(rates), 3)],
    "flows_80_frames_s": round(_FLOWS_OF_80_FRAMES / median, 1),
    "first_call_s": round(first_call, 2),
  }
