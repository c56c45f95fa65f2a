"""Time slices of the methods: one row of pixels over all frames.

Zhang et al., figure 5.
"""

from collections.abc import Sequence

import numpy as np

from dipvid_jax.media.masks import HOLE_ABOVE
from dipvid_jax.report.time_slice import enlarge, fullest_row, time_slice
from studies.method_runs import MethodRun, method_title
from studies.plots import stack_labelled

_SCALE = 3


def compare_slices(runs: Sequence[MethodRun], *, row: int | None = None) -> np.ndarray:
  """Stacks the time slices of the truth, the hole and each method's result.

  Args:
    runs: of one video.
    row: the row of pixels; None takes the one with the most hole.

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
    **{method_title(run.method): time_slice(run.stitched, row=row) for run in runs},
  }
  scaled = {
    name: enlarge(picture, rows=_SCALE, columns=_SCALE)
    for name, picture in slices.items()
  }
  return stack_labelled(scaled)
