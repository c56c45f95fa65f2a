"""The .flo reader and the end-point error."""

import struct

import numpy as np
import pytest

from flow.errors import InputError
from flow.flo_files import end_point_error, read_flo


def flo_bytes(flow):
  height, width, _ = flow.shape
  return struct.pack("<fii", 202021.25, width, height) + flow.astype("<f4").tobytes()


def test_reads_flow_in_order(tmp_path):
  flow = np.arange(12, dtype=np.float32).reshape(2, 3, 2)  # two rows, three columns
  (tmp_path / "a.flo").write_bytes(flo_bytes(flow))
  result = read_flo(str(tmp_path / "a.flo"))
  assert result.dtype == np.float32 and result.flags.writeable
  np.testing.assert_array_equal(result, flow)


@pytest.mark.parametrize(
  ("data", "words"),
  [
    (b"", "its first bytes differ"),
    (b"PIEH", "its first bytes differ"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "its first bytes differ"),
    (flo_bytes(np.zeros((2, 3, 2)))[:-1], "is damaged or cut short"),
    (flo_bytes(np.zeros((2, 3, 2))) + b"x", "is damaged or cut short"),
    (struct.pack("<4sii", b"PIEH", -1, -1) + bytes(8), "is damaged or cut short"),
    (struct.pack("<4sii", b"PIEH", 0, 0), "is damaged or cut short"),
    (struct.pack("<4sii", b"PIEH", 2**31 - 1, 2**31 - 1), "is damaged or cut short"),
  ],
)
def test_refuses_other_files(tmp_path, data, words):
  (tmp_path / "a.flo").write_bytes(data)
  with pytest.raises(InputError, match=words) as caught:
    read_flo(tmp_path / "a.flo")
  assert str(caught.value).startswith(str(tmp_path / "a.flo"))


def test_refuses_a_missing_file(tmp_path):
  with pytest.raises(InputError, match="No such file"):
    read_flo(tmp_path / "a.flo")


def test_end_point_error_is_the_mean_distance():
  flow = np.zeros((1, 2, 2), np.float32)
  reference = np.array([[[3, 4], [0, 1]]], np.float32)
  assert end_point_error(flow, reference) == 3.0  # (5 + 1) / 2
  assert end_point_error(reference, flow) == 3.0
  assert end_point_error(reference, reference) == 0.0


def test_end_point_error_leaves_unknown_pixels_out():
  flow = np.zeros((1, 3, 2), np.float32)
  reference = np.array([[[3, 4], [1.7e9, 0], [0, np.nan]]], np.float32)
  assert end_point_error(flow, reference) == 5.0
  assert np.isnan(end_point_error(flow[:, 1:], reference[:, 1:]))


@pytest.mark.parametrize("shape", [(2, 3, 3), (3, 2, 2)])
def test_end_point_error_refuses_other_shapes(own_checks, shape):
  with pytest.raises(ValueError, match="end_point_error needs"):
    end_point_error(np.zeros(shape), np.zeros((2, 3, 2)))
