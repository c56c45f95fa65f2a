"""Files of two frames and the flow between them."""

from pathlib import Path

import cv2
import numpy as np


def write_flo(path: Path, flow: np.ndarray) -> None:
  """Writes a flow `[H, W, 2]`, (dx, dy) in pixels, as a Middlebury .flo file."""
  header = (
    np.array([202021.25], "<f4").tobytes()
    + np.array(flow.shape[1::-1], "<i4").tobytes()
  )
  path.write_bytes(header + flow.astype("<f4").tobytes())


def write_moving_pair(folder: Path) -> list[str]:
  """Writes two images of noise, the second moved by 3 pixels, and that flow.

  Returns:
    The paths of both images and of the flow, 64 rows by 96 columns.
  """
  noise = np.random.default_rng(0).integers(0, 256, (64, 99, 3), np.uint8)
  image = cv2.GaussianBlur(noise, (0, 0), 2)
  cv2.imwrite(str(folder / "a.png"), image[:, 3:])
  cv2.imwrite(str(folder / "b.png"), image[:, :-3])
  write_flo(folder / "ab.flo", np.tile(np.float32([3, 0]), (64, 96, 1)))
  return [str(folder / name) for name in ("a.png", "b.png", "ab.flo")]
