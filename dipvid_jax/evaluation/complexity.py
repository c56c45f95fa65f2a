"""How much a video changes, by which a set splits into simple and complex videos."""

from typing import NamedTuple

import numpy as np

from flow import PairFlow


class Complexity(NamedTuple):
  """The two terms of a video's complexity.

  Attributes:
    appearance: standard deviation over the frames of their mean pixel value, which
      is in [0, 1].
    motion: mean magnitude of the flow's gradient, pixels per pixel.
  """

  appearance: float
  motion: float

  @property
  def total(self) -> float:
    """Their sum, the paper's measure."""
    return self.appearance + self.motion


def video_complexity(truth: np.ndarray, flow: PairFlow) -> Complexity:
  """How much the appearance and the motion of a video vary.

  The paper gives no units. Pixel values are in [0, 1] here, which gives both terms the
  same order of magnitude; with levels of 0 to 255 the first would dominate. The
  gradient's magnitude is the root of the sum of the squares of the four derivatives,
  by central differences; its mean runs over the pixels and pairs of the forward flow.

  Args:
    truth: `[T, H, W, 3]` float in [0, 1].
    flow: of these frames at stride 1.

  Returns:
    Both terms.

  Reference: Zhang et al., ICCV 2019, section 4.2.
  """
  means = [float(np.mean(frame, dtype=np.float64)) for frame in truth]
  magnitudes = []
  for field in flow.forward.astype(np.float64):
    dy, dx = np.gradient(field, axis=(0, 1))
    magnitudes.append(np.sqrt(np.sum(dy**2 + dx**2, axis=-1)).mean())
  return Complexity(float(np.std(means)), float(np.mean(magnitudes)))
