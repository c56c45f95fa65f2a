"""The paper's complexity measure, term by term."""

import numpy as np
import pytest

from dipvid_jax.evaluation.complexity import video_complexity
from flow import PairFlow

SIZE = (6, 8)


def flow_of(fields):
  forward = np.float32(fields)
  visible = np.ones((*forward.shape[:3], 1), bool)
  return PairFlow(1, forward, -forward, visible, visible)


def test_a_linear_flow_has_the_magnitude_of_its_slopes():
  y, x = np.mgrid[: SIZE[0], : SIZE[1]]
  first = np.stack([0.3 * x, 0.4 * y], axis=-1)  # a gradient of 0.5 everywhere
  second = np.stack([0 * x + 5, 0 * y - 5], axis=-1)  # a translation: none
  complexity = video_complexity(np.zeros((3, *SIZE, 3)), flow_of([first, second]))
  assert complexity.motion == pytest.approx(0.25)
  assert complexity.appearance == 0


def test_appearance_is_the_standard_deviation_of_the_frame_means():
  frames = np.zeros((4, *SIZE, 3))
  frames[2:] = 0.2
  frames[:, ::2] += 0.1  # a pattern within the frames changes nothing
  frames[:, 1::2] -= 0.1
  complexity = video_complexity(frames, flow_of(np.zeros((3, *SIZE, 2))))
  assert complexity.appearance == pytest.approx(0.1)
  assert complexity.motion == 0
  assert complexity.total == complexity.appearance
