"""InceptionV3 for tests: its golden file, and tensors of a small network."""

import functools
import json
from typing import Any

import numpy as np

from tests.goldens import make_inception


@functools.cache
def read_golden() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """Reads `inception.npz`: its provenance, and its arrays by name."""
  with np.load(make_inception.PATH) as file:
    return json.loads(str(file["provenance"])), {name: file[name] for name in file}


def narrow_tensors(*, classes: int = 1008) -> dict[str, np.ndarray]:
  """Random tensors with a sixteenth of the channels, small enough for a test's file.

  Args:
    classes: 1008 for pytorch-fid's version, 1000 for torchvision's.

  Returns:
    A state dict in PyTorch's layout.
  """
  provenance, _ = read_golden()
  shapes = {
    name: [outputs // 16, max(3, inputs // 16), *size]
    for name, (outputs, inputs, *size) in provenance["shapes"].items()
  }
  shapes["Conv2d_1a_3x3"][1] = 3
  shapes["Conv2d_2a_3x3"][1] = shapes["Conv2d_2b_3x3"][1] = 2
  return make_inception.random_tensors(shapes, seed=0, classes=classes)
