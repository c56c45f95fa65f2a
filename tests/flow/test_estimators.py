"""DIS finds a known translation; PWC-Net runs from a file of weights."""

import hashlib

import cv2
import numpy as np
import pytest

from benchmarks.pytorch import pwc_names
from flow import InputError, make_estimator
from tests.support import synthetic, torch_file_writer

INNER = (slice(None), slice(12, -12), slice(12, -12))


@pytest.mark.parametrize("step", [(3, 0), (0, -2), (-2, 4)])
def test_dis_finds_a_translation_in_pixels_from_first_to_second(step):
  clip = synthetic.translating_clip(3, (64, 80), step=step)
  flow = make_estimator("dis")(clip[:2], clip[1:])
  assert flow.shape == (2, 64, 80, 2)
  error = np.linalg.norm(flow[INNER] - np.array(step), axis=-1)
  assert np.median(error) < 0.5


def test_dis_is_the_medium_preset_on_rounded_luma():
  clip = synthetic.translating_clip(2, (48, 64))
  levels = np.rint(clip * 255).astype(np.uint8)
  grey = [cv2.cvtColor(frame[..., ::-1], cv2.COLOR_BGR2GRAY) for frame in levels]
  medium = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  expected = medium.calc(*grey, None)
  np.testing.assert_array_equal(make_estimator()(clip[:1], clip[1:])[0], expected)


def test_pwcnet_runs_from_a_file_of_weights(tmp_path):
  path = tmp_path / "weights.pytorch"
  weights = pwc_names.random_weights(0)
  torch_file_writer.write_arrays(path, weights, "zip")
  estimator = make_estimator("pwcnet", weights=path)
  assert hashlib.sha256(path.read_bytes()).hexdigest() in estimator.identity
  first, second = pwc_names.random_pair(0, 2, 48, 64)
  flow = estimator(first, second)
  assert flow.shape == (2, 48, 64, 2) and np.isfinite(flow).all()
  alone = estimator(first[:1], second[:1])
  np.testing.assert_allclose(alone, flow[:1], rtol=0, atol=1e-3)
  assert np.abs(flow[0] - flow[1]).max() > 0.1


def test_other_weights_have_another_identity(monkeypatch, tmp_path):
  monkeypatch.setattr("flow.estimators.load_pwcnet", lambda path: {})
  paths = [tmp_path / name for name in "abc"]
  for path, content in zip(paths, (b"some", b"other", b"some"), strict=True):
    path.write_bytes(content)
  a, b, c = (make_estimator("pwcnet", weights=path).identity for path in paths)
  assert a == c != b
  assert a != make_estimator("dis").identity


def test_pwcnet_without_weights_says_what_is_missing():
  with pytest.raises(InputError, match=r"--config\.flow\.weights=FILE"):
    make_estimator("pwcnet")


def test_weights_that_are_missing_are_named(tmp_path):
  path = tmp_path / "nowhere.pytorch"
  with pytest.raises(InputError, match=r"nowhere\.pytorch") as error:
    make_estimator("pwcnet", weights=path)
  assert "\n" not in str(error.value)


def test_an_unknown_estimator_is_refused_with_the_known_ones():
  with pytest.raises(InputError, match="unknown 'raft'; choose from dis, pwcnet"):
    make_estimator("raft")
