"""Small videos and images, and the ways in which they are damaged at random."""

import pathlib
import struct
import zlib

import numpy as np

from tests.support import media_files

COUNT, HEIGHT, WIDTH = 5, 48, 64
FRAMES = media_files.moving_frames(COUNT, HEIGHT, WIDTH)

_H264 = {"codec": "libx264", "pix_fmt": "yuv420p"}
_VIDEOS = {
  "h264.mp4": _H264,
  "fragments.mp4": _H264 | {"movflags": "+frag_keyframe+empty_moov"},
  "h264.mkv": _H264,
  "ffv1.mkv": {},
  "vp9.webm": {"codec": "libvpx-vp9", "pix_fmt": "yuv420p"},
  "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
  "mpeg4.avi": {"codec": "mpeg4", "pix_fmt": "yuv420p"},
  "ffv1.avi": {},
  "clip.gif": {"codec": "gif", "pix_fmt": "rgb8"},
}
_IMAGES = ("rgb.png", "palette.png", "rgb.jpg", "rgb.webp", "rgb.tif", "rgb.bmp")


def sound_files(folder):
  """Writes one file of every kind; returns their contents by name."""
  for name, options in _VIDEOS.items():
    media_files.encode(folder / name, FRAMES, **options)
  for name in _IMAGES:
    media_files.write_png(folder / name, FRAMES[0])
  numbers = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 4
  media_files.write_indexed_png(
    folder / "palette.png", numbers, media_files.DAVIS_PALETTE
  )
  return {name: (folder / name).read_bytes() for name in (*_VIDEOS, *_IMAGES)}


def damage(data, rng):
  """One kind of damage, or several, drawn with `rng`."""
  data = bytearray(data)
  for _ in range(rng.integers(1, 4)):
    _KINDS[rng.integers(len(_KINDS))](data, rng)
  if data.startswith(b"\x89PNG") and rng.random() < 0.7:
    _correct_checksums(data)
  return bytes(data)


def _flip_in_the_header(data, rng):
  for _ in range(rng.integers(1, 5)):
    data[rng.integers(min(len(data), 600))] ^= 1 << rng.integers(8)


def _flip_anywhere(data, rng):
  for _ in range(rng.integers(1, 20)):
    data[rng.integers(len(data))] = rng.integers(256)


def _cut(data, rng):
  del data[rng.integers(20, len(data)) :]


def _swap_blocks(data, rng):
  length = int(rng.integers(4, max(5, len(data) // 4)))
  first, second = sorted(rng.integers(0, len(data) - length, 2).tolist())
  if second - first >= length:
    one, other = data[first : first + length], data[second : second + length]
    data[first : first + length], data[second : second + length] = other, one


def _repeat_a_block(data, rng):
  start = int(rng.integers(len(data)))
  data[start:start] = data[start : start + int(rng.integers(1, 400))]


def _enlarge_a_size(data, rng):
  """Replaces a number that looks like a side of the picture or a count."""
  form = ("<H", ">H", "<I", ">I", ">B")[rng.integers(5)]
  sought = struct.pack(form, (WIDTH, HEIGHT, COUNT)[rng.integers(3)])
  places = [i for i in range(len(data)) if data[i : i + len(sought)] == sought]
  most = 256 ** len(sought) - 1
  value = min(most, int(2 ** rng.uniform(6, 32)), 60000 if rng.random() < 0.5 else most)
  for place in rng.permutation(places)[: rng.integers(1, 4)].tolist():
    struct.pack_into(form, data, place, value)


def _extreme_number(data, rng):
  """Writes an extreme 32-bit number somewhere in the headers."""
  value = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 60000, 10**9)[rng.integers(7)]
  place = int(rng.integers(max(1, min(len(data), 900) - 4)))
  if rng.random() < 0.5:  # an MP4's header may lie at its end
    place = max(0, len(data) - 4 - place)
  data[place : place + 4] = struct.pack("<I" if rng.random() < 0.5 else ">I", value)


_KINDS = (
  _flip_in_the_header,
  _flip_anywhere,
  _cut,
  _swap_blocks,
  _repeat_a_block,
  _enlarge_a_size,
  _enlarge_a_size,
  _extreme_number,
)


def _correct_checksums(data):
  """Lets a PNG's chunks pass the first check, so that the next ones are tried."""
  place = 8
  while place + 12 <= len(data):
    (length,) = struct.unpack_from(">I", data, place)
    end = place + 8 + length
    if end + 4 > len(data):
      return
    struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
    place = end + 4


def write_damaged(folder, count, *, seed=0):
  """Writes damaged inputs into folders 0, 1, ..; returns the kind of each.

  A damaged image, 1.png, lies beside an intact one.
  """
  folder.mkdir()
  (folder / "sound").mkdir()
  sound = sound_files(folder / "sound")
  kinds = []
  for number in range(count):
    rng = np.random.default_rng([seed, number])
    name = [*sound][number % len(sound)]
    place = pathlib.Path(folder / str(number))
    place.mkdir()
    suffix = pathlib.Path(name).suffix
    data = damage(sound[name], rng)
    if name in _IMAGES:
      (place / f"0{suffix}").write_bytes(sound[name])
      (place / f"1{suffix}").write_bytes(data)
    else:
      (place / f"clip{suffix}").write_bytes(data)
    kinds.append(name)
  return kinds
