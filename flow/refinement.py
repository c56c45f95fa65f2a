"""Flow searched again from a good start, in a part of the frame."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from flow.types import AnyArray

Slices = tuple[slice, slice]


def grey_levels(frames: Float[AnyArray, "T H W 3"]) -> UInt8[np.ndarray, "T H W"]:
  """What the search sees of frames: 8-bit grey.

  Args:
    frames: `[T, H, W, 3]` float RGB in [0, 1].

  Returns:
    `[T, H, W]` uint8.
  """
  levels = np.rint(np.asarray(frames) * 255).clip(0, 255).astype(np.uint8)
  return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in levels])


def refine_flow(
  first: UInt8[np.ndarray, "H W"],
  second: UInt8[np.ndarray, "H W"],
  initial: Float[np.ndarray, "h w 2"],
  part: Slices,
) -> Float32[np.ndarray, "h w 2"]:
  """Searches the flow of a part of a frame by DIS, from an initial flow.

  The search sees that part of the first frame, and the part of the second that lies
  there after the median motion, so motion may be larger than the part.

  Args:
    first: `[H, W]` uint8, see `grey_levels`.
    second: `[H, W]` uint8.
    initial: `[h, w, 2]` float, (dx, dy) in pixels, of the part.
    part: rows and columns of the part, inside the frame.

  Returns:
    `[h, w, 2]` float32, pixels.

  Reference: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
  """
  motion = np.rint(np.median(initial, axis=(0, 1))).astype(int)
  rows, columns = (
    np.clip(np.arange(side.start, side.stop) + moved, 0, length - 1)
    for side, moved, length in zip(part, motion[::-1], first.shape, strict=True)
  )
  search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  start = np.ascontiguousarray(initial - motion, dtype=np.float32)
  before = np.ascontiguousarray(first[part])
  after = np.ascontiguousarray(second[np.ix_(rows, columns)])
  found = search.calc(before, after, start)
  return np.asarray(found + motion, np.float32)
