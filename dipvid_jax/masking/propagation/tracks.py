"""Where each painted piece goes, found in all frames together.

Frame by frame, something similar nearby is easily taken for an object that is hidden
for a moment, and followed from there on. Over many frames the object itself is the
likeliest: it is seen most clearly, and it moves little between frames. This is the
track-before-detect of radar (Barniv, Dynamic programming solution for detecting dim
moving targets, 1985), with the detections of the trained head.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.masking.propagation.looks import Looks

_CELL = 8  # pixels between places
_JOINS = 0.012  # of the diagonal: pieces as near as twice this are one
_LEAST_PIECE = 0.1  # of the largest one's area: smaller ones go with the nearest
_MOST_PIECES = 6
_WIDE = 0.5  # of the root of a piece's area: the window that sees it
_FARTHEST = 4  # cells between frames, beside the flow
_DEAR = 0.05  # cost of a cell's move, squared; seeing the piece whole is worth 1
_CERTAIN = 1e3  # worth of a place near a stroke


class Track(NamedTuple):
  """The way of one piece of an object.

  Attributes:
    object: its number, from 1.
    painted: the frame that the piece is painted in.
    piece: `[h, w]` bool, the piece there.
    centres: by frame (row, column) in cells, from the painted frame to the next one on
      either side that the object is painted in.
  """

  object: int
  painted: int
  piece: np.ndarray
  centres: Mapping[int, np.ndarray]

  def piece_at(self, number: int) -> np.ndarray:
    """The piece moved to where it is in a frame, `[h, w]` bool."""
    down, right = _CELL * (self.centres[number] - self.centres[self.painted])
    motion = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(
      self.piece.astype(np.float32), motion, self.piece.shape[::-1]
    )
    return np.asarray(moved) > 0.5


def expected_shapes(
  tracks: Sequence[Track], number: int, *, size: tuple[int, ...]
) -> dict[int, np.ndarray]:
  """Where the pieces of each object are expected, `[h, w]` bool by object.

  Args:
    tracks: from `find_tracks`.
    number: of the frame.
    size: (h, w).

  Returns:
    The shapes; of an object that is nowhere painted nothing is expected, and it has
    none.
  """
  shapes = {track.object: np.zeros(size, bool) for track in tracks}
  for track in tracks:
    if number in track.centres:
      shapes[track.object] |= track.piece_at(number)
  return shapes


def find_tracks(
  looks: Looks,
  detect: Callable[[int], np.ndarray],
  painted: Mapping[int, np.ndarray],
  said: Mapping[int, np.ndarray],
  *,
  objects: int,
) -> list[Track]:
  """Follows every piece of every painted object.

  Args:
    looks: of the clip.
    detect: of a frame's number: `[h, w, K + 1]` probabilities without knowledge of
      where objects are.
    painted: `[h, w]` int32 labels by frame.
    said: `[h, w]` int32 labels of frames with strokes, -1 where nothing is said.
    objects: K.

  Returns:
    The tracks.
  """
  seen = []
  for number in range(len(looks.frames)):
    labels = painted.get(number)
    chances = detect(number) if labels is None else one_hot(labels, objects)
    seen.append(np.stack([_at_cells(c) for c in np.moveaxis(chances[..., 1:], -1, 0)]))
  onward = [_moves(flow) for flow in looks.to_next]
  back = [_moves(flow) for flow in looks.to_previous]
  tracks = []
  for k in range(1, objects + 1):
    shown = sorted(t for t, labels in painted.items() if (labels == k).any())
    strokes = {t: labels == k for t, labels in said.items() if (labels == k).any()}
    for number in shown:
      for piece in _pieces(painted[number] == k):
        worth = _worth([layers[k - 1] for layers in seen], piece)
        for t, stroke in strokes.items():
          worth[t] += _CERTAIN * _near(stroke, piece)
        begin = np.argwhere(piece).mean(0) / _CELL
        last = min((t for t in shown if t > number), default=len(worth) - 1)
        first = max((t for t in shown if t < number), default=0)
        after = _best_path(begin, worth[number + 1 : last + 1], back[number:last])
        before = slice(first, number)
        earlier = _best_path(begin, worth[before][::-1], onward[before][::-1])
        path = [*earlier[::-1], begin, *after]
        centres = dict(zip(range(first, last + 1), path, strict=True))
        tracks.append(Track(k, number, piece, centres))
  return tracks


def one_hot(labels: np.ndarray, objects: int) -> np.ndarray:
  """Labels as certain probabilities, `[h, w, K + 1]` float32."""
  return np.eye(objects + 1, dtype=np.float32)[labels]


def _pieces(mask: np.ndarray) -> Iterator[np.ndarray]:
  """Parts of a mask that may go different ways, the largest ones first."""
  if not mask.any():
    return
  side = 2 * round(_JOINS * np.hypot(*mask.shape)) + 1
  joined = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
  count, parts = cv2.connectedComponents(joined)
  areas = np.bincount(parts[mask], minlength=count)
  large = np.argsort(-areas)[:_MOST_PIECES]
  large = large[areas[large] > _LEAST_PIECE * areas.max()]
  away = [
    cv2.distanceTransform((parts != part).astype(np.uint8), cv2.DIST_L2, 3)
    for part in large
  ]
  nearest = np.argmin(away, axis=0)
  yield from (mask & (nearest == place) for place in range(len(large)))


def _at_cells(layer: np.ndarray) -> np.ndarray:
  height, width = layer.shape
  size = (width // _CELL, height // _CELL)
  return cv2.resize(layer, size, interpolation=cv2.INTER_AREA)


def _moves(flow: np.ndarray) -> np.ndarray:
  """Flow in cells, at cells, `[h, w, 2]` (x, y)."""
  blurred = cv2.blur(flow.astype(np.float32), (2 * _CELL, 2 * _CELL))
  return (
    np.stack([_at_cells(layer) for layer in np.moveaxis(blurred, -1, 0)], -1) / _CELL
  )


def _worth(seen: Sequence[np.ndarray], piece: np.ndarray) -> np.ndarray:
  """How much of a piece is seen around each cell: 1 is as where it was painted."""
  spread = max(_WIDE * piece.sum() ** 0.5 / _CELL, 0.5)
  whole = cv2.GaussianBlur(_at_cells(piece.astype(np.float32)), (0, 0), spread).max()
  around = np.stack([cv2.GaussianBlur(layer, (0, 0), spread) for layer in seen])
  return around / max(whole, 1e-6)


def _near(stroke: np.ndarray, piece: np.ndarray) -> np.ndarray:
  """Where the middle of a piece can be that a stroke is on, at cells."""
  away = cv2.distanceTransform((~stroke).astype(np.uint8), cv2.DIST_L2, 3)
  reach = max(piece.sum() ** 0.5, _CELL)
  return _at_cells((away <= reach).astype(np.float32))


def _best_path(
  begin: np.ndarray, worth: np.ndarray, moves: Sequence[np.ndarray]
) -> list[np.ndarray]:
  """The path of the greatest worth less its moves.

  Args:
    begin: (row, column) in cells, where it begins.
    worth: `[T, h, w]` of the frames after that.
    moves: for each of them `[h, w, 2]` (x, y) flow to the frame before.

  Returns:
    (row, column) in cells for each of the T frames.
  """
  size = worth.shape[1:]
  rows, columns = np.mgrid[: size[0], : size[1]]
  reach = range(-_FARTHEST, _FARTHEST + 1)
  steps = [(y, x) for y in reach for x in reach if np.hypot(y, x) <= _FARTHEST]
  best = -_DEAR * ((rows + 0.5 - begin[0]) ** 2 + (columns + 0.5 - begin[1]) ** 2)
  came_from = []
  for seen, move in zip(worth, moves, strict=True):
    row, column = rows + move[..., 1], columns + move[..., 0]
    from_row = np.clip(np.rint(row), 0, size[0] - 1).astype(int)
    from_column = np.clip(np.rint(column), 0, size[1] - 1).astype(int)
    values, ys, xs = [], [], []
    for down, right in steps:
      y, x = from_row + down, from_column + right
      inside = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
      y, x = np.clip(y, 0, size[0] - 1), np.clip(x, 0, size[1] - 1)
      cost = _DEAR * ((row - y) ** 2 + (column - x) ** 2)
      values.append(np.where(inside, best[y, x] - cost, -np.inf))
      ys.append(y)
      xs.append(x)
    chosen = np.argmax(values, axis=0)[None]
    came_from.append(
      [np.take_along_axis(np.stack(part), chosen, 0)[0] for part in (ys, xs)]
    )
    best = np.max(values, axis=0) + seen
  place = np.unravel_index(best.argmax(), best.shape)
  path = []
  for ys, xs in reversed(came_from):
    path.append(np.array(place) + 0.5)
    place = ys[place], xs[place]
  return path[::-1]
