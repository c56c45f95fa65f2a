"""When a video's frames are shown: at a constant rate or at times of their own."""

import fractions
from collections.abc import Sequence

import numpy as np

from dipvid_jax.types import Timestamps

# A folder of images has no frame rate of its own. This is DAVIS's.
DEFAULT_FRAME_RATE = fractions.Fraction(24)

# Containers round times to their tick. If a tick is at most this share of a frame, a
# frame may be one tick away from its time at a constant rate.
_FINE_TICK = fractions.Fraction(1, 4)


def frame_times(
  starts: Sequence[int | None],
  *,
  last_duration: int | None,
  time_base: fractions.Fraction | None,
  stated_rate: fractions.Fraction | None,
) -> tuple[fractions.Fraction | None, Timestamps | None]:
  """Finds a clip's frame rate, and the times of its frames if it is not constant.

  Args:
    starts: for each frame, the tick at which it is shown, as decoded.
    last_duration: ticks for which the last frame is shown; None or 0: as long as the
      frame before it.
    time_base: seconds per tick; None if the file does not say.
    stated_rate: frames per second as the file states them, which may be wrong.

  Returns:
    Frames per second, and the times counted from the first frame. The rate is the
    stated one if all frames lie within a tick of it, or if times are missing or do
    not rise; else the mean. The times are None if the rate is constant.
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
  """The times counted from the first; None if any is missing or does not rise."""
  if None in starts or len(starts) < 2:
    return None
  ticks = np.array(starts, np.int64)
  return ticks - ticks[0] if (np.diff(ticks) > 0).all() else None


def _follow(ticks: np.ndarray, *, per_frame: fractions.Fraction) -> bool:
  """Whether times are a constant rate's, as a container would round them."""
  tolerance = 1 if per_frame * _FINE_TICK >= 1 else 0
  return all(abs(tick - i * per_frame) <= tolerance for i, tick in enumerate(ticks))
