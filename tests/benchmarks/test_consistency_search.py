"""The ways to search a patch that are timed against each other."""

from benchmarks import consistency_search, simple_fills
from tests.support.composed_set import write_set


def test_all_ways_agree_on_results(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(consistency_search, "_PAIRS", 1)
  monkeypatch.setattr(consistency_search, "_REPEATS", 1)
  hole = (slice(20, 30), slice(26, 40))
  composed = str(write_set(tmp_path, shape=(6, 60, 64), hole=hole))
  fills = tmp_path / "fills"
  simple_fills.main(["--set", composed, "--output", str(fills)])
  capsys.readouterr()
  consistency_search.main(["--set", composed, str(fills / "telea")])
  head, _, *rows = capsys.readouterr().out.splitlines()
  columns = [cell.strip() for cell in head.strip("|").split("|")]
  assert len(rows) == 4
  for row in rows:
    cells = dict(
      zip(columns, (cell.strip() for cell in row.strip("|").split("|")), strict=True)
    )
    assert cells["result"] == "telea" and int(cells["patches"]) > 0
    assert float(cells["apart, dB"]) < 1e-3 and float(cells["apart, SSIM"]) < 1e-5
