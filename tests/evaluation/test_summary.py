"""Means over videos, and over the complex and the simple ones."""

import math

import pytest

from dipvid_jax.evaluation.summary import partition, summarise

NAN = math.nan
ROWS = {
  "a": {"frames": 10, "paper_psnr": 30.0, "sttn_psnr": 20.0, "complexity": 0.1},
  "b": {"frames": 30, "paper_psnr": 20.0, "sttn_psnr": 40.0, "complexity": 0.3},
  "c": {"frames": 20, "paper_psnr": 25.0, "sttn_psnr": 30.0, "complexity": 0.2},
}


def test_a_video_counts_once_but_in_sttn_by_its_frames():
  every = summarise(ROWS)["all"]
  assert every == {
    "videos": 3,
    "frames": 60,
    "paper_psnr": pytest.approx(25),
    "sttn_psnr": pytest.approx((200 + 1200 + 600) / 60),
    "complexity": pytest.approx(0.2),
  }


def test_the_median_splits_the_set():
  assert partition({"a": 0.1, "b": 0.3, "c": 0.2}) == {
    "complex": ["b"],
    "simple": ["a", "c"],
  }
  halves = partition({"a": 4, "b": 3, "c": 2, "d": 1})
  assert halves == {"complex": ["a", "b"], "simple": ["c", "d"]}
  assert partition({"a": 4, "b": 3}, threshold=1)["simple"] == []


def test_each_part_has_its_own_means():
  summary = summarise(ROWS, threshold=0.15)
  assert [*summary] == ["all", "complex", "simple"]
  assert summary["complex"]["paper_psnr"] == pytest.approx(22.5)
  assert summary["complex"]["sttn_psnr"] == pytest.approx(36)
  assert summary["simple"]["videos"] == 1


@pytest.mark.parametrize("threshold", [0, 1])
def test_an_empty_part_is_left_out(threshold):
  assert [*summarise(ROWS, threshold=threshold)] == ["all"]


def test_without_complexity_there_are_no_parts():
  rows = {name: {**row} for name, row in ROWS.items()}
  del rows["b"]["complexity"]
  summary = summarise(rows)
  assert [*summary] == ["all"]
  assert math.isnan(summary["all"]["complexity"])


def test_one_missing_value_leaves_the_mean_not_measured():
  rows = ROWS | {"b": ROWS["b"] | {"paper_psnr": NAN}}
  summary = summarise(rows)
  assert math.isnan(summary["all"]["paper_psnr"])
  assert summary["simple"]["paper_psnr"] == pytest.approx(27.5)


def test_the_pooled_fid_is_recomputed_and_never_a_mean():
  rows = {name: row | {"fid_pooled": 5.0} for name, row in ROWS.items()}
  assert math.isnan(summarise(rows)["all"]["fid_pooled"])
  summary = summarise(rows, pooled_fid=lambda names: 100.0 * len(names))
  pooled = {part: values["fid_pooled"] for part, values in summary.items()}
  assert pooled == {"all": 300, "complex": 5, "simple": 200}
