"""The same frames give the same file, however busy the machine is."""

import contextlib
import ctypes
import os

import pytest

from dipvid_jax.media.audio import add_audio
from dipvid_jax.media.video_writing import write_video
from tests.support import media_files

FRAMES = media_files.moving_frames(8, 240, 320)  # high enough for several threads
_M_PERTURB = -6  # of glibc's malloc.h


@contextlib.contextmanager
def on_one_cpu():
  """Lets this thread, and those that it starts, use one CPU."""
  if not hasattr(os, "sched_setaffinity"):
    yield
    return
  before = os.sched_getaffinity(0)
  os.sched_setaffinity(0, {min(before)})
  try:
    yield
  finally:
    os.sched_setaffinity(0, before)


@contextlib.contextmanager
def dirty_memory(value):
  """Fills all memory that is given out with one byte, where the C library can."""
  fill = getattr(ctypes.CDLL(None), "mallopt", lambda option, value: 0)
  fill(_M_PERTURB, value)
  try:
    yield
  finally:
    fill(_M_PERTURB, 0)


@pytest.mark.parametrize("max_bytes", [None, 40_000])
def test_the_same_frames_give_the_same_bytes_on_any_number_of_cpus(tmp_path, max_bytes):
  paths = [tmp_path / f"{number}.mp4" for number in range(3)]
  for path in paths[:2]:
    write_video(path, FRAMES, media_files.NTSC, max_bytes=max_bytes)
  with on_one_cpu():
    write_video(paths[2], FRAMES, media_files.NTSC, max_bytes=max_bytes)
  assert len({path.read_bytes() for path in paths}) == 1


@pytest.mark.parametrize("field_order", [None, "top"])
@pytest.mark.parametrize("max_bytes", [None, 40_000])
def test_no_byte_depends_on_what_memory_held_before(tmp_path, max_bytes, field_order):
  paths = [tmp_path / f"{value}.mp4" for value in (85, 255)]
  for path in paths:
    with dirty_memory(int(path.stem)):
      write_video(
        path,
        FRAMES,
        media_files.NTSC,
        max_bytes=max_bytes,
        field_order=field_order,
      )
  assert paths[0].read_bytes() == paths[1].read_bytes()


def test_one_thread_encodes(tmp_path):
  """x264 writes what it was told into the stream."""
  write_video(tmp_path / "out.mp4", FRAMES, media_files.NTSC)
  assert b" threads=1 lookahead_threads=1 " in (tmp_path / "out.mp4").read_bytes()


def test_no_time_of_day_enters_a_file(tmp_path):
  path = tmp_path / "out.mp4"
  silent = media_files.encode(tmp_path / "silent.mkv", FRAMES)
  source = media_files.add_sound(tmp_path / "sound.mkv", silent)
  write_video(path, FRAMES, media_files.NTSC)
  for sound in ("", source):
    assert not sound or add_audio(path, sound) == ""
    data = path.read_bytes()
    for box in (b"mvhd", b"tkhd", b"mdhd"):
      times = data.index(box) + len(box) + 4  # after version and flags
      assert data[times : times + 8] == bytes(8), box  # created, modified
