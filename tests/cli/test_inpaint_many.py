"""`bin/inpaint --manifest` in several processes, one of which is lost."""

import contextlib
import csv
import errno
import fractions
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from dipvid_jax.cli import inpaint, inpaint_many
from dipvid_jax.clip_lists import cluster
from dipvid_jax.errors import InputError
from dipvid_jax.media.video_writing import write_video

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_COMMAND = _ROOT / "bin/inpaint"
_GATED = pathlib.Path(__file__).resolve().parents[1] / "support" / "gated_worker.py"
_SMALL = (
  "--config.size=12,16",
  "--config.levels=1",
  "--config.inner_steps=2",
  "--config.batches_per_round=1",
  "--config.rounds=2",
  "--config.strides=(1,)",
)
_CLIPS = 3


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
  """A folder with small videos, a mask, and a file that is no video."""
  folder = tmp_path_factory.mktemp("clips")
  y, x = np.mgrid[0:12, 0:16]
  for k in range(_CLIPS):
    frames = [
      np.stack([(x + (2 + k) * t) * 9 % 256, y * 15 % 256, (x + y + k) * 5 % 256], -1)
      for t in range(6)
    ]
    write_video(folder / f"{k}.mp4", np.uint8(frames), fractions.Fraction(25))
  masks = np.zeros((6, 12, 16, 3), np.uint8)
  masks[:, 4:8, 5:10] = 255
  write_video(folder / "mask.mp4", masks, fractions.Fraction(25))
  (folder / "words.mp4").write_text("not a video")
  return folder


@pytest.fixture(scope="module")
def plain(clips, tmp_path_factory):
  """The results of the clips, each from a run of its own."""
  folder = tmp_path_factory.mktemp("plain")
  for k in range(_CLIPS):
    files = ("--video", str(clips / f"{k}.mp4"), "--mask", str(clips / "mask.mp4"))
    flags = ("--seed", str(k), "--output", str(folder / str(k)))
    assert inpaint.main([*files, *flags, *_SMALL]) == 0
  return folder


def write_manifest(clips, folder, rows):
  """Each row a video's name and a seed; the output is called like the video."""
  lines = [
    f"{clips / name}.mp4,{clips / 'mask.mp4'},{name},{seed}" for name, seed in rows
  ]
  path = folder / "clips.csv"
  path.write_text("\n".join(["video,mask,output,seed", *lines]))
  return path


@pytest.fixture
def start():
  """Starts processes, and ends them with the test."""
  with contextlib.ExitStack() as started:

    def start(words, **environment):
      process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      started.enter_context(process)
      started.callback(process.kill)
      return process

    yield start


def wait_for(path, process):
  deadline = time.monotonic() + 120
  while not path.exists():
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.05)


def slurm(index, count):
  """What Slurm tells a process, from which JAX makes out its index."""
  values = {"JOB_ID": 1, "STEP_NODELIST": "localhost", "NTASKS": count}
  values |= {"PROCID": index, "LOCALID": index}
  return {f"SLURM_{name}": str(value) for name, value in values.items()}


def assert_equal_results(found, expected):
  for name in ("frames", "full"):
    paths = sorted((expected / name).iterdir())
    assert len(paths) == 6
    for path in paths:
      assert (found / name / path.name).read_bytes() == path.read_bytes()
  updates = [
    [json.loads(row)["update"] for row in text.splitlines()]
    for text in ((run / "metrics.jsonl").read_text() for run in (found, expected))
  ]
  assert updates[0] == updates[1]


def test_the_clip_of_a_killed_worker_is_taken_over(clips, plain, start, tmp_path):
  """Three processes, four clips of which one is bad; kill -9 after a checkpoint."""
  rows = [("0", 0), ("words", 0), ("1", 1), ("2", 2)]
  manifest = write_manifest(clips, tmp_path, rows)
  reached, summary = tmp_path / "reached", tmp_path / "summary.csv"
  flags = ("--manifest", manifest, "--distributed", "--claim-timeout", "6", *_SMALL)
  victim = start([_GATED, "save", reached, "", *flags], **slurm(2, 3))
  wait_for(reached, victim)
  command = [_COMMAND, *flags]
  others = [
    start([*command, "--summary", summary], **slurm(0, 3)),
    start(command, **slurm(1, 3)),
  ]
  # Its share begins at the third clip, and while it lives nobody else takes that.
  for name in ("0", "2"):
    wait_for(tmp_path / name / "full.mp4", others[0])
  assert not (tmp_path / "1/full.mp4").exists()
  assert list((tmp_path / ".1.claims").iterdir())
  victim.send_signal(signal.SIGKILL)
  victim.communicate()

  said = [process.communicate(timeout=120) for process in others]
  assert [process.returncode for process in others] == [1, 1], said
  for output, _ in said:
    table = output[output.index("4 clips: ") :].splitlines()
    assert table[0] == "4 clips: 3 done, 1 failed"
    assert "line 3  failed" in table[1] and "words.mp4: " in table[1]
  everything = "".join(output for output, _ in said)
  assert everything.count("resumed after 2 updates") == 1
  for k in range(_CLIPS):
    assert_equal_results(tmp_path / str(k), plain / str(k))
    assert not (tmp_path / f".{k}.claims").exists()
  with summary.open(newline="") as file:
    states = [row["state"] for row in csv.DictReader(file)]
  assert states == ["done", "failed", "done", "done"]


def test_a_paused_worker_does_not_disturb_the_machine_that_took_over(
  clips, plain, start, tmp_path
):
  """SIGSTOP: no sign of life, but the process is there and wakes up later."""
  manifest = write_manifest(clips, tmp_path, [("0", 0)])
  reached = tmp_path / "reached"
  flags = ("--manifest", manifest, "--claim-timeout", "2", *_SMALL)
  paused = start([_GATED, "run", reached, "machine a", *flags])
  wait_for(reached, paused)
  paused.send_signal(signal.SIGSTOP)
  try:
    other = start([_COMMAND, *flags])
    output, error = other.communicate(timeout=120)
    assert (other.returncode, error) == (0, "")
    assert "1 clip: 1 done" in output
    assert_equal_results(tmp_path / "0", plain / "0")
    written = (tmp_path / "0/full.mp4").stat().st_mtime_ns
  finally:
    paused.send_signal(signal.SIGCONT)
  output, error = paused.communicate(timeout=120)
  assert (paused.returncode, error) == (0, "")
  assert "another worker has taken over" in output and "1 clip: 1 done" in output
  assert (tmp_path / "0/full.mp4").stat().st_mtime_ns == written


def test_ctrl_c_frees_the_clip_and_shows_where_the_list_is(
  clips, tmp_path, capsys, monkeypatch
):
  def interrupt(self, state):
    raise KeyboardInterrupt

  manifest = write_manifest(clips, tmp_path, [("0", 0), ("1", 1)])
  monkeypatch.setattr("dipvid_jax.storage.checkpoints.Checkpoints.save", interrupt)
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 130
  said = capsys.readouterr()
  assert said.err == "inpaint: interrupted; the same command continues\n"
  assert "2 clips: 2 waiting" in said.out


def test_a_summary_that_cannot_be_written_is_a_line(
  clips, tmp_path, capsys, monkeypatch
):
  manifest = write_manifest(clips, tmp_path, [("words", 0)])
  summary = tmp_path / "none/summary.csv"
  flags = ("--manifest", str(manifest), "--summary", str(summary), *_SMALL)
  assert inpaint.main(list(flags)) == 2
  said = capsys.readouterr()
  assert (
    said.err == f"inpaint: --summary {summary}: there is no folder {tmp_path}/none\n"
  )
  assert not said.out

  def refuse(*_):
    raise OSError(errno.EACCES, os.strerror(errno.EACCES), "summary.csv.partial")

  monkeypatch.setattr(inpaint_many, "write_outcomes", refuse)
  summary.parent.mkdir()
  assert inpaint.main(list(flags)) == 1
  said = capsys.readouterr()
  line = f"inpaint: --summary {summary}: cannot be written (Permission denied)\n"
  assert said.err == line
  assert "1 clip: 1 failed" in said.out


def test_a_summary_replaces_nothing_but_a_summary(clips, tmp_path, capsys):
  manifest = write_manifest(clips, tmp_path, [("words", 0)])
  before = manifest.read_text()
  flags = ("--manifest", str(manifest), *_SMALL, "--summary")
  assert inpaint.main([*flags, str(manifest)]) == 2
  assert "clips.csv: holds something else than outcomes" in capsys.readouterr().err
  assert manifest.read_text() == before
  summary = tmp_path / os.fsdecode(b"caf\xe9.csv")
  for _ in range(2):
    assert inpaint.main([*flags, str(summary)]) == 1
  assert "failed" in summary.read_text()


def test_an_input_where_a_clips_run_would_write_is_an_error(clips, tmp_path, capsys):
  frames = tmp_path / "project/frames"
  frames.mkdir(parents=True)
  (frames / "00000.png").write_text("mine")
  manifest = tmp_path / "clips.csv"
  rows = ["video,mask,output", f"project/frames,{clips / 'mask.mp4'},project"]
  manifest.write_text("\n".join(rows))
  assert inpaint.main(["--manifest", str(manifest), *_SMALL]) == 2
  error = capsys.readouterr().err
  assert "clips.csv, line 2: --output" in error and "where --video" in error
  assert error.count("\n") == 1


@pytest.fixture
def devices(monkeypatch):
  """A Slurm process, the sixth of eight, the second of its machine; its GPUs."""
  for name, value in (slurm(5, 8) | {"SLURM_LOCALID": "1"}).items():
    monkeypatch.setenv(name, value)
  settings: dict[str, str] = {}
  monkeypatch.setattr(jax.config, "update", settings.__setitem__)
  return settings


@pytest.mark.parametrize(
  ("environment", "shown"),
  [
    ({}, "1"),
    ({"CUDA_VISIBLE_DEVICES": "2,3,4,5"}, "1"),
    ({"CUDA_VISIBLE_DEVICES": "3"}, None),
    ({"ROCR_VISIBLE_DEVICES": "3"}, None),
    ({"CUDA_VISIBLE_DEVICES": "3", "JAX_LOCAL_DEVICE_IDS": "0"}, "0"),
  ],
)
def test_a_process_of_a_cluster_has_one_gpu(devices, monkeypatch, environment, shown):
  for name, value in environment.items():
    monkeypatch.setenv(name, value)
  assert cluster.take_place() == cluster.Place(index=5, count=8)
  names = ("jax_cuda_visible_devices", "jax_rocm_visible_devices")
  assert devices == (dict.fromkeys(names, shown) if shown else {})


def test_a_place_that_cannot_be_made_out_is_an_error(devices, monkeypatch):
  monkeypatch.setenv("SLURM_PROCID", "many")
  with pytest.raises(InputError, match=r"--distributed: slurm: .*many"):
    cluster.take_place()
