"""When a video's frames are shown: at a constant rate, or each at its own time."""

import fractions
from collections.abc import Sequence

import numpy as np

from dipvid_jax.types import Timestamps

# A folder of images has no frame rate of its own. This is DAVIS's.
DEFAULT_FRAME_RATE = fractions.Fraction(24)

# Containers round times to their tick. Where the tick is a smaller part of a frame
# than this, a frame within a tick of the constant rate's time is where it should be.
_FINE_TICK = fractions.Fraction(1, 4)


def frame_times(
  starts: Sequence[int | None],
  *,
  last_duration: int | None,
  time_base: fractions.Fraction | None,
  stated_rate: fractions.Fraction | None,
) -> tuple[fractions.Fraction | None, Timestamps | None]:
  """Tells a clip's frame rate, and its frames' times where that is not constant.

  Args:
    starts: for each frame, the tick at which it is shown, as decoded.
    last_duration: ticks for which the last one is shown; as the one before it where
      this is None or 0.
    time_base: seconds a tick; None where the file does not say.
    stated_rate: frames per second by the file's own word, which may be wrong.

  Returns:
    Frames per second, and the times from the first frame on. The rate is the stated
    one where all frames lie within a tick of it, or where their times are missing or
    do not rise; else the mean. The times are None where the rate is constant.
  """
  ticks = _rising(starts)
  if time_base is None or ticks is None:
    return stated_rate, None
  if stated_rate and _follow(ticks, per_frame=1 / (stated_rate * time_base)):
    return stated_rate, None
  steps = np.diff(ticks)
  if (steps == steps[0]).all():
    return 1 / (int(steps[0]) * time_base), None
  end = int(ticks[-1]) + (last_duration or int(steps[-1]))
  mean = len(ticks) / (end * time_base)
  return mean, Timestamps(np.append(ticks, end), time_base)


def _rising(starts: Sequence[int | None]) -> np.ndarray | None:
  """The times from the first one on; None where any is missing or does not rise."""
  if None in starts or len(starts) < 2:
    return None
  ticks = np.array(starts, np.int64)
  return ticks - ticks[0] if (np.diff(ticks) > 0).all() else None


def _follow(ticks: np.ndarray, *, per_frame: fractions.Fraction) -> bool:
  """Whether times are those of a constant rate, as a container would round them."""
  tolerance = 1 if per_frame * _FINE_TICK >= 1 else 0
  return all(abs(tick - i * per_frame) <= tolerance for i, tick in enumerate(ticks))
