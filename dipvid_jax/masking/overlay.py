"""What a mask marks, to look at: the frames with the mask tinted."""

import cv2
import numpy as np

_TINT = np.array([255, 0, 0], np.float32)
_SHARE = 0.5  # of the tint
_COLUMNS, _MOST_TILES = 4, 8
_TILE_WIDTH = 480


def tint(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Tints what a mask marks red, and draws its outline.

  Args:
    frame: `[H, W, 3]` uint8 RGB.
    mask: `[H, W]` uint8, 255 = marked.

  Returns:
    `[H, W, 3]` uint8 RGB.
  """
  tinted = np.where(
    mask[..., None] > 0, (1 - _SHARE) * frame + _SHARE * _TINT, frame
  ).astype(np.uint8)
  outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
  return cv2.drawContours(tinted, outlines, -1, _TINT.tolist(), 1)


def contact_sheet(frames: np.ndarray, masks: np.ndarray) -> np.ndarray:
  """Eight tinted frames, spread over those that have a mask, side by side.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    masks: `[T, H, W]` uint8, 255 = marked, in at least one frame.

  Returns:
    `[rows, columns, 3]` uint8 RGB; a tile is at most 480 pixels wide.
  """
  marked = np.flatnonzero([mask.any() for mask in masks])
  spread = np.linspace(0, len(marked) - 1, _MOST_TILES).round().astype(int)
  picked = marked[np.unique(spread)]
  tiles = [_tile(tint(frames[t], masks[t]), f"frame {t}") for t in picked]
  columns = min(_COLUMNS, len(tiles))
  tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
  rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
  return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _tile(picture: np.ndarray, label: str) -> np.ndarray:
  height, width = picture.shape[:2]
  scale = min(1.0, _TILE_WIDTH / width)
  sides = (max(round(width * scale), 1), max(round(height * scale), 1))
  tile = cv2.resize(picture, sides, interpolation=cv2.INTER_AREA)
  font, white, black = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255), (0, 0, 0)
  cv2.putText(tile, label, (6, 16), font, 0.45, black, 3, cv2.LINE_AA)
  return cv2.putText(tile, label, (6, 16), font, 0.45, white, 1, cv2.LINE_AA)
