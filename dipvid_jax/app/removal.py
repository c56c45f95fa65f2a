"""The removal: `bin/inpaint` in a process of its own, which can be interrupted."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from dipvid_jax.app.job import Job, StoppedError
from dipvid_jax.errors import InputError, UnfinishedError

CONFIGS = ("fast.py", "flow.py", "vid.py", "vid3d.py", "dip.py")
_LOOKS_AGAIN = 0.3  # seconds
_ENDS_WITHIN = 30.0  # seconds after Ctrl-C


def remove(
  job: Job,
  *,
  config: str,
  video: Path,
  masks: Path,
  output: Path,
  resume: bool,
) -> str:
  """Runs the removal to its end.

  Args:
    job: is told how many frames are written; a stop interrupts the process, after
      which a call with `resume` continues.
    config: one of `CONFIGS`.
    video: the clip.
    masks: the folder of masks.
    output: the run's folder; an earlier run there is continued or replaced.
    resume: continue it.

  Returns:
    The last line that the command says.

  Raises:
    InputError: what the command refuses, in its words.
    StoppedError: the user stopped it.
    UnfinishedError: it ended otherwise.
  """
  if config not in CONFIGS:
    raise InputError(f"{config}: is not one of {', '.join(CONFIGS)}")
  log = output.with_name(f"{output.name}.log")
  log.parent.mkdir(parents=True, exist_ok=True)
  with log.open("wb") as said:
    process = subprocess.Popen(
      [
        *(sys.executable, "-m", "dipvid_jax.cli.inpaint", "--config", config),
        *("--video", str(video), "--mask", str(masks), "--output", str(output)),
        "--resume" if resume else "--overwrite",
      ],
      stdin=subprocess.DEVNULL,
      stdout=said,
      stderr=subprocess.STDOUT,
      start_new_session=True,  # Ctrl-C in the terminal ends the server, which ends it
    )
    try:
      _watch(job, process, output / "frames", log)
    finally:
      _end(process)
  line = _last_line(log)
  if job.is_stopping:
    raise StoppedError
  if process.returncode == 2:
    raise InputError(line)
  if process.returncode:
    raise UnfinishedError(line or f"it ended with code {process.returncode}")
  if not (output / "inpainted.mp4").is_file():
    raise UnfinishedError(line or "it ended without a result")
  return line


def _watch(job: Job, process: subprocess.Popen[bytes], frames: Path, log: Path) -> None:
  while process.poll() is None and not job.is_stopping:
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(_LOOKS_AGAIN)
    job.message = _last_line(log)
    written = len(list(frames.glob("*.png"))) if frames.is_dir() else 0
    job.done = min(written, job.total)


def _end(process: subprocess.Popen[bytes]) -> None:
  if process.poll() is None:
    process.send_signal(signal.SIGINT)
    try:
      process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()


def _last_line(log: Path) -> str:
  lines = log.read_text(errors="replace").split("\n")
  return next((line.strip() for line in reversed(lines) if line.strip()), "")
