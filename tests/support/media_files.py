"""Real media files, written for the tests."""

import fractions
import struct
import zlib

import av
import cv2
import numpy as np

NTSC = fractions.Fraction(30000, 1001)
MILLI = fractions.Fraction(1, 1000)

# The first colours of DAVIS's annotations: background, object 1, 2, 3.
DAVIS_PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]


def moving_frames(count=6, height=48, width=64):
  """`[count, height, width, 3]` uint8: smooth colours that move, all different."""
  t, y, x = np.mgrid[:count, :height, :width].astype(np.float64)
  waves = [
    np.sin(x / 9 + t / 2) + np.cos(y / 7),
    np.sin(y / 8 - t / 2),
    np.cos(x / 11 + y / 13 + t / 3),
  ]
  return np.stack([127 + 60 * wave for wave in waves], axis=-1).round().astype(np.uint8)


def patches(height=48, width=64, seed=0):
  """`[height, width, 3]` uint8: flat patches of 16 x 16 pixels, randomly coloured."""
  shape = (height // 16, width // 16, 3)
  colours = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
  return colours.repeat(16, axis=0).repeat(16, axis=1)


def patch_centres(image):
  """The inner 4 x 4 pixels of each patch, out of reach of chroma resampling."""
  rows, columns = image.shape[0] // 16, image.shape[1] // 16
  return image.reshape(rows, 16, columns, 16, -1)[:, 6:10, :, 6:10]


def encode(
  path,
  frames,
  *,
  codec="ffv1",
  pix_fmt="bgr0",
  rate=NTSC,
  source_format="rgb24",
  tags=None,
  starts=None,
  time_base=None,
  aspect=None,
  **options,
):
  """Writes `frames` with any codec into the container that the suffix names.

  `starts` are the frames' times in units of `time_base`; `aspect` is the width of a
  pixel over its height.
  """
  with av.open(f"file:{path}", "w", options=options) as container:
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pix_fmt
    for name, value in (tags or {}).items():
      setattr(stream.codec_context, name, value)
    if starts:
      stream.codec_context.time_base = time_base
    if aspect:
      stream.codec_context.sample_aspect_ratio = aspect
    for number, frame in enumerate(frames):
      image = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(frame),
        format=source_format,
        channel_last=source_format == "yuv444p",
      )
      for name, value in (tags or {}).items():
        setattr(image, name, value)
      if starts:
        image.pts, image.time_base = starts[number], time_base
      container.mux(stream.encode(image))
    container.mux(stream.encode())
  return path


def display_matrix(path, a, b, c, d):
  """Sets the four numbers of an MP4's display matrix that rotate and mirror."""
  data = bytearray(path.read_bytes())
  offset = data.index(b"tkhd") + 4 + 40
  one = 1 << 16
  struct.pack_into(
    ">9i", data, offset, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30
  )
  path.write_bytes(data)


def add_sound(path, source, *, codec="aac", tracks=1, delay=0, seconds=1):
  """Copies `source` to `path` and adds tracks of sound that start after `delay` s."""
  with av.open(str(source)) as given, av.open(str(path), "w") as container:
    pictures = container.add_stream_from_template(given.streams.video[0])
    sounds = [container.add_stream(codec, rate=48000) for _ in range(tracks)]
    for packet in given.demux(video=0):
      if packet.size:
        packet.stream = pictures
        container.mux(packet)
    planar = codec in ("aac", "libmp3lame", "libvorbis")
    length = 48000 * seconds
    tone = np.sin(np.arange(length) * 2 * np.pi * 440 / 48000) * 0.5
    samples = np.stack([tone, tone]).astype(np.float32)
    if not planar:
      samples = np.rint(samples.T.reshape(1, -1) * 32767).astype(np.int16)
    for sound in sounds:
      layout = {"format": "fltp" if planar else "s16", "layout": "stereo"}
      frame = av.AudioFrame.from_ndarray(samples, **layout)
      frame.sample_rate, frame.pts = 48000, round(delay * 48000)
      container.mux(sound.encode(frame))
      container.mux(sound.encode())
  return path


def unknown_codec(path):
  """Renames the codec of the last track of a MOV file to one that FFmpeg lacks."""
  data = path.read_bytes()
  start = data.rindex(b"stsd")
  entry = data[start:].replace(b"mp4a", b"apac").replace(b"esds", b"dapa")
  path.write_bytes(data[:start] + entry)
  return path


def sound_packets(path):
  """Time in seconds and bytes of every packet of sound, one list per track."""
  with av.open(str(path)) as container:
    return [
      [
        (float(packet.pts * packet.time_base), bytes(packet))
        for packet in av.open(str(path)).demux(audio=track)
        if packet.dts is not None
      ]
      for track in range(len(container.streams.audio))
    ]


def write_png(path, image):
  """Writes an RGB, RGBA or grey array with OpenCV."""
  conversion = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
  if image.ndim == 3:
    image = cv2.cvtColor(image, conversion[image.shape[2]])
  path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
  return path


def write_indexed_png(path, indices, palette, *, bits=8, transparency=None):
  """Writes `[H, W]` colour numbers and their palette as a PNG of colour type 3."""
  height, width = indices.shape
  weights = 2 ** np.arange(bits)[::-1]
  digits = (indices[..., None] // weights % 2).astype(np.uint8)
  rows = np.packbits(digits.reshape(height, -1), axis=1)
  rows = np.pad(rows, ((0, 0), (1, 0)))  # filter 0 before each row
  chunks = [
    (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)),
    (b"PLTE", bytes(np.array(palette, np.uint8))),
    (b"IDAT", zlib.compress(rows.tobytes())),
    (b"IEND", b""),
  ]
  if transparency is not None:
    chunks.insert(2, (b"tRNS", bytes(transparency)))
  data = b"\x89PNG\r\n\x1a\n"
  for name, body in chunks:
    data += struct.pack(">I", len(body)) + name + body
    data += struct.pack(">I", zlib.crc32(name + body))
  path.write_bytes(data)
  return path


def cut_off(path, share):
  """Keeps the first `share` of a file."""
  data = path.read_bytes()
  path.write_bytes(data[: int(len(data) * share)])
  return path


def assert_one_line(error, path):
  """Asserts that an error is one line that begins with the path."""
  line = str(error.value)
  assert line.startswith(f"{path}: "), line
  assert "\n" not in line
