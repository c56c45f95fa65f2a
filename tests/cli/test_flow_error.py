"""The command that checks flow weights."""

import pathlib

import numpy as np
import pytest

from dipvid_jax.cli import flow_error
from tests.support.flow_pairs import write_flo, write_moving_pair

_PAIR = pathlib.Path(__file__).resolve().parents[3] / "shared/data/sintel-pair"


@pytest.fixture
def pair(tmp_path):
  return write_moving_pair(tmp_path)


def test_the_error_of_a_known_motion_is_small(pair, capsys):
  assert flow_error.main(pair) == 0
  line = capsys.readouterr().out
  assert "magnitude is 3.00 px" in line
  assert float(line.split()[2]) < 0.5


def test_other_sizes_are_refused(pair, tmp_path, capsys):
  write_flo(tmp_path / "ab.flo", np.zeros((32, 96, 2), np.float32))
  assert flow_error.main(pair) == 2
  assert "ab.flo: is 32x96" in capsys.readouterr().err


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
