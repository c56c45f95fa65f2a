"""One row of pixels of every frame, stacked: flicker shows as jags.

Zhang et al., figure 5.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from studies.method_runs import METHODS, MethodRun
from studies.plots import stack_labelled

_SCALE = 3


def time_slice(runs: Sequence[MethodRun], *, row: int | None = None) -> np.ndarray:
  """Stacks a row of the truth, of what the methods saw, and of each method's result.

  Args:
    runs: of one video.
    row: which row of pixels; the one with the most hole where None.

  Returns:
    `[H', W', 3]` uint8 RGB.
  """
  truth, hole = runs[0].truth, runs[0].hole
  if row is None:
    row = int(np.argmax((hole > 127).sum(axis=(0, 2, 3))))
  marked = np.where(hole > 127, np.uint8([255, 0, 0]), truth)
  frame = truth[len(truth) // 2].copy()
  frame[row] = (255, 255, 0)
  slices = {
    f"truth, frame {len(truth) // 2}, row {row}": frame,
    "truth": truth[:, row],
    "the hole": marked[:, row],
    **{METHODS.get(run.method, run.method): run.stitched[:, row] for run in runs},
  }
  return stack_labelled({name: _enlarge(image) for name, image in slices.items()})


def _enlarge(image):
  return cv2.resize(image, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_NEAREST)
