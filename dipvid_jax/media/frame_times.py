"""When a video's frames are shown: at a constant rate or at times of their own."""

import fractions
import itertools
from collections.abc import Sequence

import numpy as np

from dipvid_jax.types import Timestamps

# A folder of images has no frame rate of its own. This is DAVIS's.
DEFAULT_FRAME_RATE = fractions.Fraction(24)

# Containers round times to their tick. If a tick is at most this share of a frame, a
# frame may be one tick away from its time at a constant rate.
_FINE_TICK = fractions.Fraction(1, 4)

# Times and rates beyond these are damage, not video.
_LONGEST_SHOWN = 3600  # seconds
_FASTEST = 1_000_000  # frames per second

_MOST_TICKS = 2**31 - 1  # for which an MP4 can show a frame
_COARSE = fractions.Fraction(1, 90_000)


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
    last_duration: ticks for which the last frame is shown; None or no likely duration:
      as long as the frame before it.
    time_base: seconds per tick; None if the file does not say.
    stated_rate: frames per second as the file states them, which may be wrong.

  Returns:
    Frames per second, and the times counted from the first frame. The rate is the
    stated one if all frames lie within a tick of it, or if times are missing, do not
    rise or lie more than an hour apart; else the mean; None if none of them is likely.
    The times are None if the rate is constant.
  """
  stated_rate = likely_rate(stated_rate)
  ticks = _rising(starts, time_base)
  if time_base is None or ticks is None:
    return stated_rate, None
  if stated_rate and _follow(ticks, per_frame=1 / (stated_rate * time_base)):
    return stated_rate, None
  steps = np.diff(ticks)
  if (steps == steps[0]).all():
    return likely_rate(1 / (int(steps[0]) * time_base)) or stated_rate, None
  shown_last = last_duration or 0
  if not 0 < shown_last * time_base <= _LONGEST_SHOWN:
    shown_last = int(steps[-1])
  end = int(ticks[-1]) + shown_last
  times = _writable(Timestamps(np.append(ticks, end), time_base))
  mean = likely_rate(len(ticks) / (end * time_base))
  return (mean, times) if mean and times else (stated_rate, None)


def likely_rate(rate: fractions.Fraction | None) -> fractions.Fraction | None:
  """A frame rate as a header states it; None if no video has it."""
  if not rate or not fractions.Fraction(1, _LONGEST_SHOWN) <= rate <= _FASTEST:
    return None
  return fractions.Fraction(rate)


def _rising(
  starts: Sequence[int | None], time_base: fractions.Fraction | None
) -> np.ndarray | None:
  """The times counted from the first; None if they are missing or cannot be true."""
  if None in starts or len(starts) < 2 or not time_base:
    return None
  known = [start for start in starts if start is not None]
  most = _LONGEST_SHOWN / time_base
  if any(not 0 < b - a <= most for a, b in itertools.pairwise(known)):
    return None
  return np.array([start - known[0] for start in known], np.int64)


def _follow(ticks: np.ndarray, *, per_frame: fractions.Fraction) -> bool:
  """Whether times are a constant rate's, as a container would round them."""
  tolerance = 1 if per_frame * _FINE_TICK >= 1 else 0
  return all(abs(tick - i * per_frame) <= tolerance for i, tick in enumerate(ticks))


def _writable(times: Timestamps) -> Timestamps | None:
  """The times in ticks so coarse that an MP4 can hold them; None if they coincide."""
  if np.diff(times.ticks).max() <= _MOST_TICKS:
    return times
  scale = times.time_base / _COARSE
  ticks = np.array([round(int(tick) * scale) for tick in times.ticks], np.int64)
  return Timestamps(ticks, _COARSE) if (np.diff(ticks) > 0).all() else None
