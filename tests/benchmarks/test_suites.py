"""The benchmark on small sizes: its rows are complete, its workers report errors."""

import json
import math

import numpy as np
import pytest

from benchmarks import command, jax_updates, report, suites, updates
from benchmarks.ways import Way
from benchmarks.workers import Worker
from tests.support.quick_compile import CAN_WAIT_FOR_EVER

_SMALL = {"height": 16, "width": 32, "levels": 1}
# As tests.support.quick_compile, in the workers' processes.
_QUICK = {} if CAN_WAIT_FOR_EVER else {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
_PEAKS = {"matmul_gflops": 100.0, "copy_gbytes": 10.0}
_KEYS = {
  *("framework", "variant", "losses", "device", "height", "width", "batch_size"),
  *("precision", "updates_per_second", "spread"),
}


def _measure(ways):
  return list(updates.measure(ways, warm_ups=0, repeats=2, peaks=_PEAKS))


def test_our_rows_are_complete_and_plausible(monkeypatch):
  """A worker's peak is its own: `ru_maxrss` of a child begins at its parent's."""
  for name, value in _QUICK.items():
    monkeypatch.setenv(name, value)
  held = np.ones(2**27)  # 1 GiB
  ways = [
    Way("jax", variant, "no_vgg", "cpu", updates=2, **_SMALL)
    for variant in ("scan", "step")
  ]
  for row in _measure(ways):
    assert row.keys() >= _KEYS
    low, high = row["spread"]
    assert 0 < low <= row["updates_per_second"] <= high
    share = row["updates_per_second"] * row["gflop_per_update"] / 100
    assert math.isclose(row["share_of_peak"], share, abs_tol=1e-3)
    assert held.nbytes / 2**20 > row["peak_memory_mib"] > 50


@pytest.mark.parametrize(("losses", "expected"), [("all", 319), ("no_vgg", 48)])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_arithmetic_of_an_update_is_known_on_every_device(losses, expected, device):
  """XLA's count, which tests/training/test_work.py has, is None on a GPU."""
  gflop = jax_updates.gflop_per_update(Way("jax", "scan", losses, device))
  assert gflop == pytest.approx(expected, rel=0.01)


def test_pytorch_rows_are_compared_with_the_authors_way():
  pytest.importorskip("torch", reason="PyTorch is not installed")
  ways = [
    Way("pytorch", variant, "no_vgg", "cpu", updates=1, **_SMALL)
    for variant in ("authors", "repaired", "tuned")
  ]
  rows = {row["variant"]: row for row in _measure(ways)}
  assert rows["authors"]["times_authors"] == 1
  for row in rows.values():
    assert row.keys() >= _KEYS
    ratio = row["updates_per_second"] / rows["authors"]["updates_per_second"]
    assert row["times_authors"] == pytest.approx(ratio, abs=0.01)


def test_a_way_that_fails_is_a_row_with_its_error():
  size = {"height": 25, "width": 48, "levels": 2}
  (row,) = _measure([Way("jax", "scan", "no_vgg", "cpu", updates=1, **size)])
  assert "multiples of 4" in row["error"]
  assert "updates_per_second" not in row


def test_a_worker_says_what_went_wrong():
  worker = Worker(Way("jax", "scan", "no_vgg", "cpu", height=25, levels=2))
  try:
    with pytest.raises(RuntimeError, match="multiples of 4"):
      worker.ask("build")
  finally:
    worker.close()


def test_every_promised_row_is_measured():
  ways = updates.ways(device="cpu", updates=4, losses=["all", "no_vgg"])
  pytorch = {(way.variant, way.losses) for way in ways if way.framework == "pytorch"}
  assert pytorch == {
    (variant, losses)
    for variant in ("authors", "repaired", "tuned", "compiled")
    for losses in ("all", "no_vgg")
  }
  assert all((way.height, way.width, way.batch_size) == (192, 384, 5) for way in ways)
  on_gpu = {
    way.variant for way in updates.ways(device="gpu", updates=100, losses=["all"])
  }
  assert on_gpu >= {
    "scan",
    "vgg_bfloat16",
    "unroll_2",
    "graph_convolutions",
    "graph_loops",
  }


def test_quick_runs_the_updates_alone_and_writes_json(tmp_path, monkeypatch, capsys):
  asked = {}

  def run_suites(**keywords):
    asked.update(keywords)
    return [{"framework": "jax", "updates_per_second": 1.0}]

  monkeypatch.setattr(suites, "run_suites", run_suites)
  file = tmp_path / "rows.json"
  assert command.main(["--device", "cpu", "--quick", "--json", str(file)]) == 0
  assert (asked["suites"], asked["quick"]) == (["updates"], True)
  assert (asked["losses"], asked["variants"]) == (["all", "no_vgg"], None)
  assert json.loads(file.read_text()) == [
    {"framework": "jax", "updates_per_second": 1.0}
  ]
  with pytest.raises(SystemExit) as exit_info:
    command.main(["--json", str(tmp_path / "none" / "rows.json")])
  assert exit_info.value.code == 2
  assert "no such folder" in capsys.readouterr().err
  with pytest.raises(SystemExit) as exit_info:
    command.main(["--device", "cpu", "--variant", "scan", "graph_loops"])
  assert exit_info.value.code == 2
  assert "graph_loops: not measured with --device cpu" in capsys.readouterr().err


def test_some_variants_of_one_kind_of_losses_are_measured_alone():
  wanted = {"losses": ["no_vgg"], "variants": ["scan", "authors"]}
  ways = updates.ways(device="gpu", updates=100, **wanted)
  assert [(way.framework, way.variant, way.losses) for way in ways] == [
    ("jax", "scan", "no_vgg"),
    ("pytorch", "authors", "no_vgg"),
  ]


def test_tables_keep_the_columns_and_leave_gaps_empty():
  table = report.markdown_table(
    [{"a": 1.23456, "b": "x"}, {"b": [1, 2]}], {"a": "A", "b": "B"}
  )
  assert table == "| A | B |\n| --- | --- |\n| 1.23 | x |\n|  | [1, 2] |\n"
