"""The command that checks flow weights."""

import pathlib

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import flow_error

_PAIR = pathlib.Path(__file__).resolve().parents[3] / "shared/data/sintel-pair"


def _write_flo(path, flow):
  header = (
    np.array([202021.25], "<f4").tobytes()
    + np.array(flow.shape[1::-1], "<i4").tobytes()
  )
  path.write_bytes(header + flow.astype("<f4").tobytes())


@pytest.fixture
def pair(tmp_path):
  """Two noisy images, the second moved by 3 pixels, and that flow."""
  noise = np.random.default_rng(0).integers(0, 256, (64, 99, 3), np.uint8)
  image = cv2.GaussianBlur(noise, (0, 0), 2)
  cv2.imwrite(str(tmp_path / "a.png"), image[:, 3:])
  cv2.imwrite(str(tmp_path / "b.png"), image[:, :-3])
  _write_flo(tmp_path / "ab.flo", np.tile(np.float32([3, 0]), (64, 96, 1)))
  return [str(tmp_path / name) for name in ("a.png", "b.png", "ab.flo")]


def test_the_error_of_a_known_motion_is_small(pair, capsys):
  assert flow_error.main(pair) == 0
  line = capsys.readouterr().out
  assert "magnitude is 3.00 px" in line
  assert float(line.split()[2]) < 0.5


def test_other_sizes_are_refused(pair, tmp_path, capsys):
  _write_flo(tmp_path / "ab.flo", np.zeros((32, 96, 2), np.float32))
  assert flow_error.main(pair) == 2
  assert "ab.flo: is 96x32" in capsys.readouterr().err


def test_missing_weights_are_one_line(pair, capsys):
  assert flow_error.main([*pair, "--estimator", "pwcnet", "--weights", "none.pth"]) == 2
  assert "none.pth" in capsys.readouterr().err


@pytest.mark.skipif(not _PAIR.is_dir(), reason="the Sintel pair is not at hand")
def test_dis_on_the_sintel_pair(capsys):
  names = ("frame_0010.png", "frame_0011.png", "pwcnet_official_0010_to_0011.flo")
  assert flow_error.main([str(_PAIR / name) for name in names]) == 0
  line = capsys.readouterr().out
  assert 1.4 < float(line.split()[2]) < 1.8
  assert "magnitude is 5.84 px" in line
