"""The scores of proposed masks, by hand on small ones."""

import numpy as np

from benchmarks.mask_propagation import score


def test_scores_of_shifted_squares():
  truth, found = np.zeros((2, 3, 20, 30), bool)
  truth[0, 5:9, 5:9] = True
  found[0, 5:9, 7:11] = True  # two columns of four are common
  truth[1, 5:9, 5:9] = True
  found[1, 5:9, 20:24] = True
  scores = score(found, truth)
  np.testing.assert_allclose(scores.iou, [8 / 24, 0, np.nan])
  np.testing.assert_allclose(scores.recall, [0.5, 0, np.nan])
  np.testing.assert_allclose(scores.precision, [0.5, 0, np.nan])
  np.testing.assert_allclose(scores.grown_recall, [1, 0, np.nan])
