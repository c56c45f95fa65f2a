"""How far a run is, read from its folder at any moment."""

import json
import subprocess
import sys

import pytest

from dipvid_jax.runs.standing import Progress, advance, read_progress
from dipvid_jax.storage.checkpoint_steps import CHECKSUMS, latest_step
from dipvid_jax.storage.rows import append_row, last_row, read_rows, replace_rows


def save_state(folder, step, *, whole=True):
  (folder / str(step)).mkdir(parents=True)
  if whole:
    (folder / str(step) / CHECKSUMS).write_text("")


def test_a_run_advances_with_each_checkpoint_and_window(tmp_path):
  checkpoints = tmp_path / "checkpoints"
  readings = [advance(tmp_path / "missing"), advance(tmp_path)]

  def advances():
    readings.append(advance(tmp_path))
    return readings[-1] > readings[-2]

  save_state(checkpoints / "window_000", 0)
  assert advances()  # where nothing is trained that is all there ever is
  save_state(checkpoints / "window_000", 40)
  assert advances()
  save_state(checkpoints / "window_000", 80, whole=False)
  assert not advances()  # killed while it saved
  (checkpoints / "window_000_tail.npz").write_text("")
  assert advances()
  own = tmp_path / "windows/001"
  save_state(own / "checkpoints/window_001", 40)
  assert advances()
  (own / "window.npz").write_text("")
  assert advances() and readings[-1] == (False, 2, 82)
  (checkpoints / "window_001").mkdir()
  (own / "checkpoints/window_001/40").rename(checkpoints / "window_001/40")
  (checkpoints / "window_001_tail.npz").write_text("")
  assert not advances() and readings[-1] == readings[-2]  # adopted, nothing else
  for name in ("inpainted.mp4", "full.mp4"):
    (tmp_path / name).write_text("")
  assert advances() and readings[-1].finished
  assert readings == sorted(readings)


def test_a_run_in_one_window_advances_too(tmp_path):
  save_state(tmp_path / "checkpoints", 40)
  save_state(tmp_path / "checkpoints", 80)
  (tmp_path / "checkpoints/120.unreadable").mkdir()
  assert latest_step(tmp_path / "checkpoints") == 80
  assert advance(tmp_path) == (False, 0, 81)


def test_progress_is_read_from_what_is_there_already(tmp_path):
  assert read_progress(tmp_path / "missing") == Progress("not begun")
  (tmp_path / "config.json").write_text("{}")
  assert read_progress(tmp_path) == Progress("preparing")
  facts = tmp_path / "report/facts.json"
  facts.parent.mkdir()
  facts.write_text('{"updates": 50, "win')
  assert read_progress(tmp_path) == Progress("preparing")
  facts.write_text('{"updates": 50, "windows": 3, "finished": false}')
  row = {"window": 2, "update": 20, "loss": 0.5, "updates_per_second": 1.5}
  append_row(tmp_path / "metrics.jsonl", row)
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"window": 2, "update": 30, "lo')
  assert read_progress(tmp_path) == ("training", 2, 3, 20, 50, 1.5)
  for name in ("inpainted.mp4", "full.mp4"):
    (tmp_path / name).write_text("")
  assert read_progress(tmp_path).state == "training"
  facts.write_text('{"updates": 50, "windows": "3", "finished": true}')
  assert read_progress(tmp_path) == ("done", 2, 0, 20, 50, 1.5)


@pytest.mark.parametrize("content", ["", "\n", "{}", "half", "\xff\n", "3\n[]\n"])
def test_a_file_without_a_whole_row_has_no_last_one(tmp_path, content):
  assert last_row(tmp_path / "missing") == {}
  (tmp_path / "rows").write_text(content, encoding="latin-1")
  assert last_row(tmp_path / "rows") == {}


def test_of_a_long_file_only_the_end_is_read(tmp_path):
  rows = "".join(json.dumps({"update": n}) + "\n" for n in range(5000))
  (tmp_path / "rows").write_text("no row\n" + rows)
  assert last_row(tmp_path / "rows") == {"update": 4999}


def test_rows_of_a_window_are_replaced_in_the_windows_order(tmp_path):
  path = tmp_path / "rows"
  replace_rows(path, [], window=2)
  assert not path.exists()
  for window, update in ((1, 10), (3, 10), (2, 10)):
    append_row(path, {"window": window, "update": update})
  rows = [{"window": 2, "update": 20}, {"window": 2, "update": 40}]
  for _ in range(2):
    replace_rows(path, rows, window=2)
  found = [(row["window"], row["update"]) for row in read_rows(path)]
  assert found == [(1, 10), (2, 20), (2, 40), (3, 10)]


def test_reading_does_not_start_jax():
  code = (
    "import pathlib; from dipvid_jax.runs.standing import advance, read_progress\n"
    "advance(pathlib.Path('none')); read_progress(pathlib.Path('none'))\n"
    "from jax._src import xla_bridge\n"
    "assert not xla_bridge._backends"
  )
  subprocess.run([sys.executable, "-c", code], check=True)
