"""What a header says is a hint: a clip is what its data decode to, or one line."""

import fractions
import struct
import zlib

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import sources, video_reading
from dipvid_jax.media.images import read_image
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from tests.support import media_files

FRAMES = media_files.moving_frames(5)
F = fractions.Fraction
EXTREMES = {"0": 0, "2^31 - 1": 2**31 - 1, "2^31": 2**31, "2^32 - 1": 2**32 - 1}


def patch(path, mark, offset, content):
  """Overwrites bytes at a distance after the first place of `mark`."""
  data = bytearray(path.read_bytes())
  start = data.index(mark) + offset
  data[start : start + len(content)] = content
  path.write_bytes(data)
  return path


def number(value, form="<I"):
  return struct.pack(form, value)


def make_avi(folder):
  return media_files.encode(folder / "clip.avi", FRAMES)


def make_mkv(folder):
  return media_files.encode(folder / "clip.mkv", FRAMES)


def make_mp4(folder):
  return media_files.encode(
    folder / "clip.mp4", FRAMES, codec="libx264rgb", pix_fmt="rgb24", qp="0"
  )


def check_read_or_told(path):
  """Reads the clip, or gets one line; what was read can be written."""
  try:
    video = read_video(path)
  except InputError as error:
    assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    return None
  assert video.frames.shape == FRAMES.shape
  assert video.frame_rate > 0
  out = path.parent / "out.mp4"
  write_video(out, video.frames, video.frame_rate, timestamps=video.timestamps)
  assert len(read_video(out).frames) == len(FRAMES)
  return video


@pytest.mark.parametrize("count", [0, 1, 1_000_000_000, 2**32 - 1])
def test_an_avi_from_a_pipe_has_the_frames_that_are_there(tmp_path, count):
  path = make_avi(tmp_path)
  patch(path, b"avih", 8 + 16, number(count))  # dwTotalFrames
  patch(path, b"strh", 8 + 32, number(count))  # dwLength
  patch(path, b"RIFF", 4, number(0))
  video = read_video(path)
  np.testing.assert_array_equal(video.frames, FRAMES)
  assert video.frame_rate == media_files.NTSC


@pytest.mark.parametrize("value", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("field", [20, 24, 32], ids=["scale", "rate", "length"])
def test_the_rate_of_an_avi_is_extreme(tmp_path, field, value):
  check_read_or_told(patch(make_avi(tmp_path), b"strh", 8 + field, number(value)))


FLOATS = [0.0, -1.0, 1e300, float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize("duration", FLOATS)
def test_the_duration_of_a_matroska_is_no_number(tmp_path, duration):
  path = patch(make_mkv(tmp_path), b"\x44\x89\x88", 3, number(duration, ">d"))
  video = check_read_or_told(path)
  np.testing.assert_array_equal(video.frames, FRAMES)


@pytest.mark.parametrize("value", EXTREMES.values(), ids=EXTREMES)
def test_the_rate_of_a_matroska_is_extreme(tmp_path, value):
  path = patch(make_mkv(tmp_path), b"\x23\xe3\x83\x84", 4, number(value, ">I"))
  video = check_read_or_told(path)
  np.testing.assert_array_equal(video.frames, FRAMES)


@pytest.mark.parametrize("value", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize(
  ("box", "offset"),
  [
    ("mvhd", 12),  # ticks per second
    ("mvhd", 16),  # duration
    ("tkhd", 20),
    ("mdhd", 12),
    ("mdhd", 16),
    ("stts", 8),  # frames of the first duration
    ("stts", 12),  # that duration
    ("elst", 8),
    ("elst", 12),
    ("stsz", 8),  # number of frames
    ("stco", 4),
  ],
)
def test_times_and_counts_of_an_mp4_are_extreme(tmp_path, box, offset, value):
  path = make_mp4(tmp_path)
  try:
    patch(path, box.encode(), 4 + offset, number(value, ">I"))
    video = read_video(path)
  except InputError as error:
    assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    return
  # Without the last frames' offsets or sizes there are fewer of them.
  assert len(video.frames) <= len(FRAMES) and video.frame_rate > 0
  write_video(
    tmp_path / "out.mp4", video.frames, video.frame_rate, timestamps=video.timestamps
  )


@pytest.mark.parametrize(
  "starts",
  [
    [0, 40, 40, 80, 120],
    [0, 40, 80, 2**40, 2**40 + 40],
    [-(2**62), 0, 40, 80, 2**62],
    [0, 10**9, 10**9 + 1, 2 * 10**9, 10**10],
  ],
)
def test_times_that_no_video_has_are_not_used(monkeypatch, tmp_path, starts):
  path = make_mkv(tmp_path)
  decode = video_reading.decode

  def with_other_times(*stream):
    for frame, start in zip(decode(*stream), starts, strict=True):
      yield frame._replace(start=start, duration=2**62)

  monkeypatch.setattr(video_reading, "decode", with_other_times)
  video = check_read_or_told(path)
  assert video.timestamps is None and video.frame_rate == media_files.NTSC


def big_png(folder, height, width):
  path = media_files.write_png(folder / "0.png", FRAMES[0])
  data = bytearray(path.read_bytes())
  data[16:24] = struct.pack(">II", width, height)
  data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
  path.write_bytes(data)
  return path


def big_jpeg(folder, height, width):
  path = media_files.write_png(folder / "0.jpg", FRAMES[0])
  return patch(path, b"\xff\xc0", 5, struct.pack(">HH", height, width))


def big_bmp(folder, height, width):
  path = media_files.write_png(folder / "0.bmp", FRAMES[0])
  return patch(path, b"BM", 18, struct.pack("<ii", width, height))


def big_tif(folder, height, width):
  path = media_files.write_png(folder / "0.tif", FRAMES[0])
  data = path.read_bytes()
  for tag, old, new in ((256, 64, width), (257, 48, height)):
    for kind, form in ((3, "<HHIHH"), (4, "<HHII")):
      entry = struct.pack(form, tag, kind, 1, old, *([0] if kind == 3 else []))
      data = data.replace(entry, struct.pack("<HHII", tag, 4, 1, new))
  path.write_bytes(data)
  return path


@pytest.mark.parametrize("size", [(60000, 60000), (30000, 30000), (65000, 2000)])
@pytest.mark.parametrize("make", [big_png, big_jpeg, big_bmp, big_tif])
def test_an_image_that_its_file_cannot_hold_takes_no_memory(
  tmp_path, make, size, monkeypatch
):
  path = make(tmp_path, *size)
  decoder = []
  monkeypatch.setattr("cv2.imdecode", lambda *_: decoder.append(1))
  with pytest.raises(InputError, match=r"damaged") as error:
    read_image(path)
  assert f"claims pictures of {size[0]}x{size[1]}" in str(error.value)
  media_files.assert_one_line(error, path)
  assert not decoder


@pytest.mark.parametrize("side", [60000, 2**31 - 1, 2**31, 2**32 - 1])
def test_an_avi_of_a_size_that_its_file_cannot_hold(tmp_path, side):
  path = patch(make_avi(tmp_path), b"strf", 8 + 4, number(side) * 2)
  with pytest.raises(InputError, match=r"claims pictures of|damaged") as error:
    read_video(path)
  media_files.assert_one_line(error, path)


@pytest.mark.parametrize("side", [30000, 65535])
def test_a_gif_of_a_size_that_its_file_cannot_hold(tmp_path, side):
  path = media_files.encode(tmp_path / "a.gif", FRAMES, codec="gif", pix_fmt="rgb8")
  patch(path, b"GIF8", 6, struct.pack("<HH", side, side))
  with pytest.raises(InputError, match="damaged") as error:
    read_video(path)
  media_files.assert_one_line(error, path)


def test_the_most_pixels_of_a_file():
  assert sources.most_pixels(10) > 7680 * 4320
  assert sources.most_pixels(100_000_000 // 1032) > 100_000_000  # a flat PNG of bytes
  assert sources.most_pixels(10**12) == 2**30


@pytest.mark.parametrize("aspect", [F(17), F(1, 17), F(20)])
def test_an_unlikely_pixel_aspect_is_told_and_not_used(tmp_path, aspect):
  path = media_files.encode(
    tmp_path / "a.mkv", FRAMES, codec="libx264", pix_fmt="yuv420p", aspect=aspect
  )
  video = read_video(path)
  assert video.pixel_aspect == 1
  assert video.remarks == (
    f"says that pixels are {aspect} times as wide as high; taken as square",
  )
