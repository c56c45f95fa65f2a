"""One row of pixels of every frame, stacked, for each method beside the others.

Zhang et al., figure 5.
"""

from collections.abc import Sequence

import numpy as np

from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.report.time_slice import enlarge, fullest_row, time_slice
from studies.method_runs import METHODS, MethodRun
from studies.plots import stack_labelled

_SCALE = 3


def compare_slices(runs: Sequence[MethodRun], *, row: int | None = None) -> np.ndarray:
  """Stacks a row of the truth, of what the methods saw, and of each method's result.

  Args:
    runs: of one video.
    row: which row of pixels; the one with the most hole where None.

  Returns:
    `[H', W', 3]` uint8 RGB.
  """
  truth, hole = runs[0].truth, runs[0].hole > HOLE_ABOVE
  row = fullest_row(hole) if row is None else row
  frame = truth[len(truth) // 2].copy()
  frame[row] = (255, 255, 0)
  slices = {
    f"truth, frame {len(truth) // 2}, row {row}": frame,
    "truth": time_slice(truth, row=row),
    "the hole": time_slice(truth, row=row, holes=hole),
    **{
      METHODS.get(run.method, run.method): time_slice(run.stitched, row=row)
      for run in runs
    },
  }
  scaled = {
    name: enlarge(picture, rows=_SCALE, columns=_SCALE)
    for name, picture in slices.items()
  }
  return stack_labelled(scaled)
