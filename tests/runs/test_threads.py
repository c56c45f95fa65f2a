"""The number of threads decides a CPU's last bits, so that a run keeps its own."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.jax_setup import cpu_threads
from dipvid_jax.runs.config_file import recorded_threads
from flow.machine import cpu_count
from tests.support import media_files, untrained
from tests.support.run_results import assert_equal_runs

_ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of one machine in many: elsewhere a run without its record has other bits.
_THREADS = 3


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
  folder = tmp_path_factory.mktemp("clip")
  mask = np.zeros((24, 48), np.uint8)
  mask[8:16, 16:32] = 255
  media_files.encode(folder / "clip.mkv", media_files.moving_frames(7, 24, 48))
  media_files.write_png(folder / "mask.png", mask)
  return [
    *("--video", str(folder / "clip.mkv"), "--mask", str(folder / "mask.png")),
    *("--config=vid.py", "--size=24x48", "--config.levels=1", "--config.rounds=2"),
    *("--config.inner_steps=2", "--config.batches_per_round=1"),
    *("--config.perceptual_weight=0", "--config.strides=(1,)"),
  ]


@pytest.fixture
def begun(arguments, tmp_path, monkeypatch):
  """A function that runs into a folder without training, and may change its record."""
  untrained.instead_of_training(monkeypatch)
  words = [*arguments, "--output", str(tmp_path / "out")]

  def run(*extra, **recorded):
    path = tmp_path / "out/config.json"
    if recorded:
      path.write_text(json.dumps(json.loads(path.read_text()) | recorded))
    assert inpaint.main([*words, *extra]) == 0
    return path

  return run


def _said(capsys):
  return [line for line in capsys.readouterr().out.splitlines() if "last bits" in line]


def test_a_run_on_a_cpu_records_its_threads(begun):
  path = begun()
  assert json.loads(path.read_text())["cpu_threads"] == cpu_threads()
  assert recorded_threads(path.parent) == cpu_threads()


def test_a_run_on_a_gpu_records_none_and_says_nothing(begun, monkeypatch, capsys):
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert "cpu_threads" not in json.loads(begun().read_text())
  begun("--resume", cpu_threads=cpu_threads() + 1)
  assert not _said(capsys)


def test_where_threads_cannot_be_restored_a_line_says_so(begun, capsys):
  """The tests' process has started JAX before."""
  path, count = begun(), cpu_threads()
  begun("--resume")
  assert not _said(capsys)
  begun("--resume", cpu_threads=count + 1)
  assert _said(capsys) == [
    f"{path.parent}: began with {count + 1} threads and continues with {count}: its"
    " last bits may differ"
  ]
  assert recorded_threads(path.parent) == count + 1  # it did begin so
  assert cpu_threads() == count


def test_a_run_of_a_version_without_a_record_resumes_silently(begun, capsys):
  begun()
  begun("--resume", cpu_threads=None)
  assert not _said(capsys)


@pytest.mark.parametrize(
  "value", ["null", "true", "0", "-1", "2.0", '"2"', "[2]", 10**9]
)
def test_a_damaged_number_is_no_record(tmp_path, value):
  (tmp_path / "config.json").write_text(f'{{"cpu_threads": {value}}}')
  assert recorded_threads(tmp_path) is None


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[]", b"{}"])
def test_a_folder_without_a_record_has_none(tmp_path, content):
  if content is not None:
    (tmp_path / "config.json").write_bytes(content)
  assert recorded_threads(tmp_path) is None


_BEGIN = """
import sys
from dipvid_jax.cli import inpaint
from dipvid_jax.runs.folder import RunFolder

undisturbed, interrupted, *words = sys.argv[1:]
assert inpaint.main([*words, "--output", undisturbed]) == 0
write = RunFolder.append_metrics

def stop(self, row):
  if row["update"] == 6:
    raise KeyboardInterrupt
  write(self, row)

RunFolder.append_metrics = stop
assert inpaint.main([*words, "--output", interrupted]) == 130
"""


def _python(*words, **environment):
  given = {k: v for k, v in os.environ.items() if k not in ("NPROC", "PJRT_NPROC")}
  given["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling takes longest
  done = subprocess.run(
    [sys.executable, *words],
    env=given | {"PYTHONPATH": str(_ROOT)} | environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_a_resumed_run_has_the_threads_and_the_bits_of_its_beginning(
  arguments, tmp_path
):
  undisturbed, interrupted = str(tmp_path / "a"), str(tmp_path / "b")
  _python("-c", _BEGIN, undisturbed, interrupted, *arguments, NPROC=str(_THREADS))
  assert recorded_threads(tmp_path / "b") == _THREADS
  script = str(_ROOT / "bin/inpaint")
  said = _python(script, *arguments, "--output", interrupted, "--resume")
  assert_equal_runs(tmp_path / "a", tmp_path / "b")
  line = f"continues with {_THREADS} threads, as the run began: more or fewer change"
  assert (line in said) == (cpu_count() != _THREADS)
  assert "its last bits may differ" not in said
