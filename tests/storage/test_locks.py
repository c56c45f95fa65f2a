"""Two runs into one folder: the second is refused as long as the first lives."""

import errno
import fcntl
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.errors import BusyError, InputError
from dipvid_jax.runs import run
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.storage import locks
from tests.support import media_files, untrained

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HOLD = """
import pathlib, sys
from dipvid_jax.storage.locks import sole_writer
with sole_writer(pathlib.Path(sys.argv[1])):
  print("held", flush=True)
  sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
  """Another process that holds the folder."""
  process = subprocess.Popen(
    [sys.executable, "-c", _HOLD, str(tmp_path)],
    cwd=_ROOT,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  with process:
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()


def assert_held(folder, *, by):
  for attempt in (
    lambda: locks.check_free(folder),
    locks.sole_writer(folder).__enter__,
  ):
    with pytest.raises(BusyError, match=r"another run .* is writing there") as error:
      attempt()
    assert str(folder) in str(error.value) and f"process {by})" in str(error.value)


def test_another_process_is_kept_out_and_named(tmp_path, holder):
  assert_held(tmp_path, by=holder.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_holds_no_lock(tmp_path, holder, number):
  holder.send_signal(number)
  holder.wait()
  locks.check_free(tmp_path)
  with locks.sole_writer(tmp_path):
    pass


def test_a_run_of_the_same_process_is_kept_out_until_the_first_ends(tmp_path):
  with locks.sole_writer(tmp_path):
    assert_held(tmp_path, by=os.getpid())
  with pytest.raises(KeyError), locks.sole_writer(tmp_path):
    raise KeyError
  with locks.sole_writer(tmp_path):
    pass


def test_a_folder_that_is_missing_is_free(tmp_path):
  locks.check_free(tmp_path / "none")
  assert not (tmp_path / "none").exists()


def without_locks(monkeypatch, code=errno.ENOLCK):
  def flock(*_):
    raise OSError(code, "no locks here")

  monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_does_not_stop_a_run(tmp_path, monkeypatch, code):
  without_locks(monkeypatch, code)
  with locks.sole_writer(tmp_path) as hold:
    locks.check_free(tmp_path)
    hold.check()


def test_without_locks_the_newer_run_has_the_folder(tmp_path, monkeypatch):
  without_locks(monkeypatch)
  with locks.sole_writer(tmp_path) as older:
    with locks.sole_writer(tmp_path) as newer:
      newer.check()
      with pytest.raises(InputError, match="has taken over this folder") as error:
        older.check()
    newer.check()
  line = str(error.value)
  assert f"--output {tmp_path}: another run (process {os.getpid()})" in line
  (tmp_path / ".lock").unlink()
  with pytest.raises(InputError, match="another run has taken over"):
    newer.check()


def test_a_holder_on_another_host_is_named_with_it(tmp_path, monkeypatch):
  with locks.sole_writer(tmp_path) as hold:
    hold.check()
    monkeypatch.setattr(locks.socket, "gethostname", lambda: "node 7\u00e9")
    with pytest.raises(
      BusyError, match=rf"\(process {os.getpid()} on \S+\) is writing"
    ):
      locks.check_free(tmp_path)
  with locks.sole_writer(tmp_path):
    monkeypatch.undo()
    with pytest.raises(BusyError, match=rf"\(process {os.getpid()} on node-7-\)"):
      locks.check_free(tmp_path)


@pytest.mark.parametrize("content", ["", "12", "12\n", "12 node-7.lan 0af3\n"])
def test_files_of_every_version_are_taken(tmp_path, content):
  (tmp_path / ".lock").write_text(content)
  with locks.sole_writer(tmp_path) as hold:
    hold.check()


def test_a_file_that_was_removed_before_it_was_locked_is_opened_again(
  tmp_path, monkeypatch
):
  """Else the run would lock a file that no other run ever sees."""
  real, removed = fcntl.flock, []

  def flock(*args):
    if not removed:
      removed.append((tmp_path / ".lock").unlink())
    real(*args)

  monkeypatch.setattr(fcntl, "flock", flock)
  with locks.sole_writer(tmp_path) as hold:
    hold.check()
    assert_held(tmp_path, by=os.getpid())
    hold.remove_file()
  assert removed and not list(tmp_path.iterdir())


def arguments(folder, output):
  frames = media_files.moving_frames(6)
  mask = np.zeros(frames.shape[1:3], np.uint8)
  mask[10:20, 20:40] = 255
  media_files.encode(folder / "clip.mkv", frames)
  media_files.write_png(folder / "mask.png", mask)
  return [
    *("--config", "vid.py", "--video", str(folder / "clip.mkv")),
    *("--mask", str(folder / "mask.png"), "--output", str(output)),
    *("--config.levels=2", "--config.size=24,32"),
  ]


@pytest.mark.parametrize("flag", [None, "--overwrite", "--resume"])
def test_a_second_run_is_refused_before_it_reads_anything(
  tmp_path, monkeypatch, capsys, flag
):
  seen = untrained.instead_of_training(monkeypatch)
  (tmp_path / "config.json").write_text("{}")
  words = [*arguments(tmp_path.parent, tmp_path), *([flag] if flag else [])]
  with locks.sole_writer(tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert inpaint.main(words) == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
  error = capsys.readouterr().err
  assert error.startswith("inpaint: --output ") and error.count("\n") == 1
  assert f"another run (process {os.getpid()}) is writing there" in error
  assert not seen


def test_a_run_that_started_meanwhile_is_not_overwritten(tmp_path, monkeypatch, capsys):
  """The folder is free at first; another run ends there while the input is read."""
  seen = untrained.instead_of_training(monkeypatch)
  read = run.plan_run
  output = tmp_path / "out"

  def slow_read(*args, **kwargs):
    output.mkdir()
    (output / "config.json").write_text("of the other run")
    return read(*args, **kwargs)

  monkeypatch.setattr(run, "plan_run", slow_read)
  assert inpaint.main(arguments(tmp_path, output)) == 2
  assert "holds config.json, which no run wrote" in capsys.readouterr().err
  assert (output / "config.json").read_text() == "of the other run"
  assert not seen


def test_the_folder_is_free_again_after_a_run(tmp_path, monkeypatch):
  untrained.instead_of_training(monkeypatch)
  words = arguments(tmp_path, tmp_path / "out")
  assert inpaint.main(words) == 0
  assert inpaint.main([*words, "--overwrite"]) == 0


def test_a_claim_creates_the_folder(tmp_path):
  folder = RunFolder(tmp_path / "deep" / "out")
  with folder.claim(overwrite=False, resume=False):
    assert_held(folder.path, by=os.getpid())
  (tmp_path / "file").write_text("")
  with (
    pytest.raises(InputError, match="out: cannot be written"),
    RunFolder(tmp_path / "file" / "out").claim(overwrite=False, resume=False),
  ):
    pass


def test_another_file_of_a_locks_name_stays(tmp_path):
  (tmp_path / ".lock").write_bytes(b"mine \xe9")
  wrong = pytest.raises(InputError, match=r"a file \.lock that no run wrote")
  with wrong, locks.sole_writer(tmp_path):
    pass
  assert (tmp_path / ".lock").read_bytes() == b"mine \xe9"
