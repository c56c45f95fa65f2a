"""Carried pixels joined to the hole's border."""

import numpy as np

from dipvid_jax.propagation.joining import level_correction

_H, _W = 9, 11


def _scene(seed=0):
  generator = np.random.default_rng(seed)
  hole = np.zeros((_H, _W), bool)
  hole[2:6, 3:8] = True
  hole[0:3, 0] = True  # at the frame's edge
  frame, carried = generator.random((2, _H, _W, 3))
  return frame, carried, hole, generator


def _oracle(frame, carried, hole, arrived, confidence):
  """The same least squares, a row for each term, solved densely."""
  number = {pixel: i for i, pixel in enumerate(zip(*np.nonzero(hole), strict=True))}
  rows, wanted = [], []

  def term(weights, value):
    row = np.zeros(len(number))
    for pixel, weight in weights.items():
      row[number[pixel]] += weight
    rows.append(row)
    wanted.append(np.broadcast_to(value, 3))

  for y, x in number:
    for other in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
      if not (0 <= other[0] < _H and 0 <= other[1] < _W):
        continue
      if other in number:
        term({(y, x): np.sqrt(0.5), other: -np.sqrt(0.5)}, 0)  # met from both ends
      elif arrived[other]:
        term({(y, x): 1}, frame[other] - carried[other])
    screen = max(0.2 * confidence[y, x] * arrived[y, x], 1e-6)
    term({(y, x): np.sqrt(screen)}, 0)
  solution = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
  result = np.zeros((_H, _W, 3))
  result[hole] = solution
  return result


def test_it_is_the_least_squares_solution():
  frame, carried, hole, generator = _scene()
  arrived = generator.random((_H, _W)) < 0.8
  confidence = generator.random((_H, _W))
  arguments = (frame, carried, hole, arrived, confidence)
  np.testing.assert_allclose(
    level_correction(*arguments), _oracle(*arguments), atol=1e-5
  )


def test_a_change_of_level_is_taken_back():
  """A carried copy that is darker by 0.2 everywhere, in which nothing is trusted."""
  frame, _, hole, _ = _scene()
  everywhere, nowhere = np.ones((_H, _W), bool), np.zeros((_H, _W))
  correction = level_correction(frame, frame - 0.2, hole, everywhere, nowhere)
  np.testing.assert_allclose(correction[hole], 0.2, atol=1e-3)
  assert not correction[~hole].any()


def test_without_a_border_or_a_hole_nothing_changes():
  frame, carried, hole, _ = _scene()
  nowhere = np.zeros((_H, _W), bool)
  zeros = np.zeros((_H, _W))
  assert not level_correction(frame, carried, hole, nowhere, zeros).any()
  assert not level_correction(frame, carried, nowhere, hole, zeros).any()
