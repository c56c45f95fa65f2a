"""Optical flow in Middlebury's .flo format, and the distance between two flows.

A file is the float32 202021.25 ("PIEH"), int32 width and height, then (dx, dy)
float32 in pixels, row by row; all little-endian.
"""

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from flow.errors import InputError

_MAGIC = b"PIEH"
_HEADER = struct.Struct("<4sii")
_UNKNOWN = 1e9  # larger components mark a pixel whose flow is unknown


def read_flo(path: str | Path) -> Float32[np.ndarray, "H W 2"]:
  """Reads a .flo file.

  Args:
    path: the file.

  Returns:
    `[H, W, 2]` float32, (dx, dy) in pixels. Pixels without a known flow hold values
    beyond 1e9.

  Raises:
    InputError: the file is missing, damaged or not a .flo file.
  """
  try:
    data = Path(path).read_bytes()
  except OSError as error:
    raise InputError(
      f"{path}: cannot be read ({error.strerror}); give a .flo file"
    ) from None
  if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
    raise InputError(
      f"{path}: is not a .flo file (its first bytes differ); give a .flo file"
    )
  _, width, height = _HEADER.unpack_from(data)
  length = len(data) - _HEADER.size
  if width < 1 or height < 1 or length != 8 * width * height:
    raise InputError(
      f"{path}: is damaged or cut short ({length} bytes of flow do not match its size "
      f"{height}x{width}, height x width); copy it again"
    )
  flow = np.frombuffer(data, "<f4", offset=_HEADER.size)
  return flow.astype(np.float32).reshape(height, width, 2)


def end_point_error(
  flow: Float[np.ndarray, "*lead H W 2"], reference: Float[np.ndarray, "*lead H W 2"]
) -> float:
  """Mean distance between the end points of two flows, where both are known.

  Args:
    flow: `[..., H, W, 2]` float, (dx, dy) in pixels.
    reference: same shape; swapping the two changes nothing.

  Returns:
    Mean Euclidean distance in pixels; NaN if no pixel is known in both.

  Raises:
    ValueError: the shapes disagree.

  Reference: Baker et al., A Database and Evaluation Methodology for Optical Flow,
    IJCV 2011.
  """
  if flow.shape != reference.shape or flow.shape[-1:] != (2,):
    raise ValueError(
      f"end_point_error needs two [..., H, W, 2] arrays of one shape, "
      f"got {flow.shape} and {reference.shape}"
    )
  flows = np.asarray([flow, reference], np.float64)
  known = (np.abs(flows) <= _UNKNOWN).all(axis=(0, -1))
  if not known.any():
    return float("nan")
  distance = np.linalg.norm(flows[0] - flows[1], axis=-1)
  return float(distance[known].mean())
