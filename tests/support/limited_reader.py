"""Reads damaged inputs, each in a process of its own, and tells what became of them.

    python -m tests.support.limited_reader FOLDER COUNT

prints a JSON line for each of the folders 0, 1, .. that `write_damaged` made: the
outcome of reading the video and the mask, seconds of processor time, MiB of memory
at most (Python's modules have some 200 of them).
"""

import json
import os
import pathlib
import resource
import sys
import time
import warnings

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.masks import read_mask
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from tests.support.damaged_files import COUNT, HEIGHT, WIDTH

_PROCESSOR_SECONDS = 20
_WAITING_SECONDS = 90  # a frame's threads may wait for each other for ever
_ROOM = 4 << 30  # bytes of addresses; threads reserve more than they use


def _video(path):
  video = read_video(path)
  frames = video.frames
  assert frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[3] == 3
  assert len(frames) and video.frame_rate > 0 and video.pixel_aspect > 0
  if frames.shape[1] % 2 or frames.shape[2] % 2 or frames[0].size > 100_000:
    return
  # What was read can be written: not after hours of training does it fail.
  write_video(
    path.parent / "out.mp4",
    frames,
    video.frame_rate,
    timestamps=video.timestamps,
    pixel_aspect=video.pixel_aspect,
    colour=video.colour,
    field_order=video.field_order,
  )


def _mask(path):
  masks = read_mask(path, frame_count=COUNT, size=(HEIGHT, WIDTH))
  assert masks.dtype == np.uint8 and masks.shape == (COUNT, HEIGHT, WIDTH, 1)


def _outcome(read, path):
  try:
    read(path)
  except InputError as error:
    line = str(error)
    names_it = line.startswith(str(path)) and "\n" not in line
    return "line" if names_it else f"a bad line: {line!r}"
  except BaseException as error:
    return f"{type(error).__name__}: {error}"
  return "arrays"


def _read(folder):
  """What becomes of an input, in this process."""
  resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
  pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
  limit = pages * resource.getpagesize() + _ROOM
  resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
  clip = next(iter(sorted(folder.glob("clip.*"))), folder)
  mask = clip if clip is not folder else sorted(folder.glob("1.*"))[0]
  return {"video": _outcome(_video, clip), "mask": _outcome(_mask, mask)}


def _in_a_process(folder):
  """What becomes of an input, with the time and the memory that it took."""
  answers, answer = os.pipe()
  child = os.fork()
  if not child:
    os.write(answer, json.dumps(_read(folder)).encode())
    os._exit(0)
  os.close(answer)
  end = time.monotonic() + _WAITING_SECONDS
  while not (ended := os.wait4(child, os.WNOHANG))[0] and time.monotonic() < end:
    time.sleep(0.005)
  if not ended[0]:
    os.kill(child, 9)
    ended = os.wait4(child, 0)
  told = os.read(answers, 1 << 16)
  os.close(answers)
  _, status, used = ended
  died = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "died"
  outcome = json.loads(told) if told else {"video": died, "mask": died}
  return outcome | {
    "seconds": used.ru_utime + used.ru_stime,
    "mebibytes": used.ru_maxrss / 1024,
  }


def main(folder, count):
  # None of this process's threads is needed in the others.
  warnings.simplefilter("ignore")
  for number in range(count):
    print(json.dumps(_in_a_process(pathlib.Path(folder) / str(number))), flush=True)


if __name__ == "__main__":
  main(sys.argv[1], int(sys.argv[2]))
