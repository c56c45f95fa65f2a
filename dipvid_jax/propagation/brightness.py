"""Light that changes between a frame and the frame that its pixels come from."""

import numpy as np
from jaxtyping import Float, Float32

_FEWEST = 64  # pixels to estimate from
_ENOUGH = 1000
_DARK = 0.02  # added to both sides: ratios of dark pixels are noise
_LARGEST = 16.0
_IGNORED = 0.01  # smaller changes than this share are not corrected


def estimate_gain(
  here: Float[np.ndarray, "P 3"], there: Float[np.ndarray, "P 3"]
) -> Float32[np.ndarray, "3"]:
  """The factor from one frame's colours to another's, by the median over pixels.

  Args:
    here: `[P, 3]` known colours of a frame, in [0, 1].
    there: `[P, 3]` colours of the same points in the other frame.

  Returns:
    `[3]` float32, what to multiply the other frame's colours by; 1 where the light does
    not change, or where too little is known.
  """
  step = max(1, len(here) // _ENOUGH)
  here, there = here[::step], there[::step]
  lit = (np.minimum(here, there) > _DARK).all(axis=-1)
  lit &= (np.maximum(here, there) < 1 - _DARK).all(axis=-1)  # clipped pixels mislead
  if lit.sum() < _FEWEST:
    return np.ones(3, np.float32)
  change = np.median(np.log(here[lit]) - np.log(there[lit]), axis=0)
  change = np.clip(change, -np.log(_LARGEST), np.log(_LARGEST))
  return np.where(np.abs(change) < _IGNORED, 1, np.exp(change)).astype(np.float32)
