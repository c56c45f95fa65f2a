"""Real runs, killed at random moments: they go on and end as if nothing had been.

`DIPVID_KILLS=25 pytest tests/runs/test_kills.py -s` kills more often, and counts.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.video_reading import read_video
from tests.support import media_files
from tests.support.heeded_ctrl_c import heeded_ctrl_c  # noqa: F401
from tests.support.run_results import assert_equal_runs

_ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT, SIZE = 14, (24, 32)
KILLS = int(os.environ.get("DIPVID_KILLS", "2"))


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
  """Carried pixels, moving noise, a falling learning rate; a checkpoint every call."""
  folder = tmp_path_factory.mktemp("clip")
  mask = np.zeros(SIZE, np.uint8)
  mask[8:16, 10:20] = 255
  media_files.encode(folder / "clip.mkv", media_files.moving_frames(COUNT, *SIZE))
  media_files.write_png(folder / "mask.png", mask)
  return [
    *("--video", str(folder / "clip.mkv"), "--mask", str(folder / "mask.png")),
    *("--config=fast.py", "--size=24x32", "--config.levels=1", "--config.rounds=3"),
    *("--config.batches_per_round=6", "--config.batches_per_call=2"),
    *("--config.checkpoint_minutes=0", "--config.least_uncarried=0"),
    *("--window=8", "--overlap=2"),
  ]


@pytest.fixture(scope="module")
def undisturbed(arguments, tmp_path_factory):
  """A run that nothing interrupted; it also compiles everything."""
  output = tmp_path_factory.mktemp("undisturbed") / "out"
  assert inpaint.main([*arguments, "--output", str(output)]) == 0
  return output


def start(arguments, output):
  """Begins a run, or goes on with the one that is there; returns when it works."""
  words = [*arguments, "--output", str(output)]
  if (output / "config.json").exists():
    words.append("--resume")
  process = subprocess.Popen(
    [sys.executable, str(_ROOT / "bin/inpaint"), *words],
    env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  said = []
  for line in process.stdout:
    said.append(line)
    if line.startswith("needs about"):
      return process
  raise AssertionError(f"it ended with {process.wait()}: {said}")


def end(process):
  """Waits for the end; returns the exit code and what the run has said."""
  with process:
    said = process.stdout.read()
  return process.returncode, said


def assert_is_whole(output, undisturbed):
  assert_equal_runs(output, undisturbed)
  for name in ("inpainted.mp4", "full.mp4"):
    assert len(read_video(output / name).frames) == COUNT
  left = [path.name for path in output.rglob("*")]
  assert not [name for name in left if name.endswith((".partial", "-tmp"))]
  assert not [name for name in left if name.startswith(".flow-")]


@pytest.mark.parametrize(
  ("number", "code", "times"),
  [(signal.SIGKILL, -signal.SIGKILL, KILLS), (signal.SIGINT, 130, (KILLS + 1) // 2)],
  ids=["kill -9", "Ctrl-C"],
)
def test_a_run_survives_being_ended_at_any_moment(
  arguments, undisturbed, tmp_path, number, code, times
):
  generator = np.random.default_rng(int(number))
  output = tmp_path / "out"
  ended, whole, longest = 0, 0, 4.0
  starts = 0
  while ended < times or not whole:
    starts += 1
    assert starts < 10 * times + 10, "the signal never ends a run"
    process = start(arguments, output)
    began = time.monotonic()
    if ended < times:
      try:
        process.wait(generator.uniform(0, longest))
      except subprocess.TimeoutExpired:
        process.send_signal(number)
    got, said = end(process)
    if got == code and ended < times:
      ended, whole = ended + 1, 0
      assert "Traceback" not in said
      assert number == signal.SIGKILL or "--resume continues" in said
      continue
    assert got == 0, said
    assert_is_whole(output, undisturbed)
    whole += 1
    longest = time.monotonic() - began
    if ended < times:
      shutil.rmtree(output)
  print(f"{ended} times {signal.Signals(number).name}: all survived")
