"""Clips in and out, on files of every kind that the reader names."""

import fractions
import os
import struct

import av
import cv2
import media
import numpy as np
import pytest

from dipvid_jax import images, sources, video_io
from dipvid_jax.errors import InputError

FRAMES = media.moving_frames()


def mean_error(frames, expected):
  return np.abs(frames.astype(np.float64) - expected).mean()


# --- video files -------------------------------------------------------------


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi"])
def test_ffv1_comes_back_to_the_pixel(tmp_path, name):
  video = video_io.read_video(media.encode(tmp_path / name, FRAMES))
  np.testing.assert_array_equal(video.frames, FRAMES)
  assert video.frames.dtype == np.uint8
  assert video.frame_rate == media.NTSC


@pytest.mark.parametrize(
  ("name", "codec"),
  [
    ("clip.mp4", "libx264"),
    ("clip.mov", "libx264"),
    ("clip.mkv", "libx264"),
    ("clip.avi", "mpeg4"),
    ("clip.webm", "libvpx-vp9"),
  ],
)
def test_every_container_keeps_count_size_rate_and_colours(tmp_path, name, codec):
  path = media.encode(tmp_path / name, FRAMES, codec=codec, pix_fmt="yuv420p")
  video = video_io.read_video(str(path))
  assert video.frames.shape == FRAMES.shape
  assert video.frame_rate == media.NTSC
  assert mean_error(video.frames, FRAMES) < 6


def test_iter_frames_agrees_with_read_video(tmp_path):
  path = media.encode(tmp_path / "clip.mkv", FRAMES)
  for frame, expected in zip(video_io.iter_frames(path), FRAMES, strict=True):
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize(
  ("pix_fmt", "tolerance"),
  [("yuv420p10le", 2.0), ("yuv444p16le", 1.0), ("gbrp10le", 0.5)],
)
def test_more_than_eight_bits_are_rounded(tmp_path, pix_fmt, tolerance):
  path = media.encode(tmp_path / "clip.mkv", FRAMES, pix_fmt=pix_fmt)
  assert mean_error(video_io.read_video(path).frames, FRAMES) < tolerance


def test_grey_video_becomes_rgb_of_the_same_values(tmp_path):
  grey = FRAMES[..., 0]
  path = media.encode(tmp_path / "grey.mkv", grey, pix_fmt="gray", source_format="gray")
  frames = video_io.read_video(path).frames
  np.testing.assert_array_equal(frames, np.repeat(grey[..., None], 3, axis=3))


def yuv_to_rgb(yuv, kr, kb, full_range):
  """The colour equations of BT.601 / 709 / 2020, in float64."""
  y, u, v = np.moveaxis(yuv.astype(np.float64), -1, 0)
  if full_range:
    y, u, v = y / 255, (u - 128) / 255, (v - 128) / 255
  else:
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
  red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
  green = (y - kr * red - kb * blue) / (1 - kr - kb)
  return 255 * np.stack([red, green, blue], axis=-1).clip(0, 1)


BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


@pytest.mark.parametrize(
  ("tag", "height", "expected"),
  [
    (1, 48, BT709),
    (5, 48, BT601),
    (6, 720, BT601),
    (9, 48, BT2020),
    (2, 48, BT601),  # 2: not said; then the height decides
    (2, 704, BT601),
    (2, 720, BT709),
  ],
)
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_tags(tmp_path, tag, height, expected, full_range):
  yuv = 40 + media.patches(height=height, width=32) // 2
  path = media.encode(
    tmp_path / "tagged.mkv",
    yuv[None],
    pix_fmt="yuv444p",
    source_format="yuv444p",
    tags={"colorspace": tag, "color_range": 2 if full_range else 1},
  )
  frames = video_io.read_video(path).frames
  np.testing.assert_allclose(
    frames[0], yuv_to_rgb(yuv, *expected, full_range), atol=1.01
  )


# Rotations as phones write them: the matrix a, b, c, d of an MP4's track header, and
# the same in NumPy's words.
TURNS = {
  "quarter turn right": ((0, 1, -1, 0), lambda f: np.rot90(f, -1)),
  "quarter turn left": ((0, -1, 1, 0), lambda f: np.rot90(f, 1)),
  "half turn": ((-1, 0, 0, -1), lambda f: np.rot90(f, 2)),
  "mirrored": ((-1, 0, 0, 1), lambda f: f[:, ::-1]),
  "upside down": ((1, 0, 0, -1), lambda f: f[::-1]),
  "as it is": ((1, 0, 0, 1), lambda f: f),
}


@pytest.mark.parametrize("turn", TURNS)
def test_display_matrix_is_applied(tmp_path, turn):
  (a, b, c, d), expected = TURNS[turn]
  path = tmp_path / "turned.mp4"
  video_io.write_video(path, FRAMES, media.NTSC)
  plain = video_io.read_video(path).frames
  data = bytearray(path.read_bytes())
  offset = data.index(b"tkhd") + 4 + 40
  one = 1 << 16
  struct.pack_into(
    ">9i", data, offset, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30
  )
  path.write_bytes(data)
  frames = video_io.read_video(path).frames
  np.testing.assert_array_equal(frames, [expected(frame) for frame in plain])


@pytest.mark.parametrize(
  "name", ["two words.mp4", "Zürich 映像.mp4", "a:b.mp4", "100%d.mp4", "x\udcff.mp4"]
)
def test_any_file_name_can_be_written_and_read(tmp_path, name):
  folder = tmp_path / "dossier été"
  folder.mkdir()
  video_io.write_video(folder / name, FRAMES, media.NTSC)
  assert len(video_io.read_video(folder / name).frames) == len(FRAMES)
  assert [path.name for path in folder.iterdir()] == [name]


def test_a_recording_of_open_length_is_no_damage(tmp_path):
  path = media.encode(tmp_path / "live.mkv", FRAMES, live="1")
  assert sources.missing_bytes(path) == 0
  np.testing.assert_array_equal(video_io.read_video(path).frames, FRAMES)


# --- writing -----------------------------------------------------------------


@pytest.mark.parametrize("height", [48, 720])
def test_written_colours_come_back(tmp_path, height):
  frames = np.stack([media.patches(height=height)] * 3)
  path = tmp_path / "colours.mp4"
  video_io.write_video(path, frames, fractions.Fraction(25))
  back = video_io.read_video(path).frames
  error = np.abs(back.astype(int) - frames).max(axis=0)
  assert media.patch_centres(error).max() <= 5
  assert media.patch_centres(error).mean() <= 1
  with av.open(str(path)) as container:
    context = container.streams.video[0].codec_context
    assert context.colorspace == (1 if height == 720 else 6)
    assert context.color_range == 1


def test_written_video_is_what_browsers_play(tmp_path):
  path = tmp_path / "out.mp4"
  video_io.write_video(path, FRAMES, media.NTSC)
  data = path.read_bytes()
  assert data.index(b"moov") < data.index(b"mdat")
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


def test_written_video_is_close_to_its_frames(tmp_path):
  path = tmp_path / "out.mp4"
  video_io.write_video(path, FRAMES, media.NTSC)
  assert mean_error(video_io.read_video(path).frames, FRAMES) < 3


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(
  "rate", ["1", "24", "24000/1001", "30000/1001", "60", "1000000/33367", "19001/317"]
)
def test_count_and_frame_rate_are_kept_exactly(tmp_path, count, rate):
  frames = media.moving_frames(count, 16, 16)
  path = tmp_path / "rate.mp4"
  video_io.write_video(path, frames, fractions.Fraction(rate))
  video = video_io.read_video(path)
  assert video.frame_rate == fractions.Fraction(rate)
  assert len(video.frames) == count


def test_frames_that_are_views_are_written_as_they_look(tmp_path):
  turned = np.rot90(FRAMES, axes=(1, 2))
  video_io.write_video(tmp_path / "a.mp4", turned, media.NTSC)
  video_io.write_images(tmp_path / "a", turned)
  assert mean_error(video_io.read_video(tmp_path / "a.mp4").frames, turned) < 3
  np.testing.assert_array_equal(video_io.read_video(tmp_path / "a").frames, turned)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "out.mp4"
  path.write_bytes(b"before")
  to_yuv = video_io._to_yuv

  def fail_at_three(frame, number):
    if number == 3:
      raise KeyboardInterrupt
    return to_yuv(frame, number)

  monkeypatch.setattr(video_io, "_to_yuv", fail_at_three)
  with pytest.raises(KeyboardInterrupt):
    video_io.write_video(path, FRAMES, media.NTSC)
  assert path.read_bytes() == b"before"
  assert list(tmp_path.iterdir()) == [path]


def test_write_video_refuses_odd_sizes(tmp_path):
  with pytest.raises(InputError, match=r"out\.mp4: .*even width and height.* 63x48"):
    video_io.write_video(tmp_path / "out.mp4", FRAMES[:, :, :63], media.NTSC)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ("frames", "rate", "words"),
  [
    (FRAMES / 255, 25, r"\[T, H, W, 3\] uint8, got float64"),
    (FRAMES[0], 25, r"\[T, H, W, 3\]"),
    (FRAMES[..., :1], 25, r"\[T, H, W, 3\]"),
    (FRAMES[:0], 25, "empty"),
    (FRAMES, 0, "positive"),
  ],
)
def test_write_video_checks_its_arguments(tmp_path, frames, rate, words):
  with pytest.raises(ValueError, match=words):
    video_io.write_video(tmp_path / "out.mp4", frames, fractions.Fraction(rate))
  assert not list(tmp_path.iterdir())


def test_write_into_a_missing_folder_is_an_os_error(tmp_path):
  with pytest.raises(OSError, match="No such file"):
    video_io.write_video(tmp_path / "none" / "out.mp4", FRAMES, media.NTSC)


def test_written_images_come_back_to_the_pixel(tmp_path):
  folder = tmp_path / "deep" / "frames"
  video_io.write_images(folder, FRAMES)
  names = sorted(path.name for path in folder.iterdir())
  assert names == [f"{number:05d}.png" for number in range(len(FRAMES))]
  video = video_io.read_video(folder)
  np.testing.assert_array_equal(video.frames, FRAMES)
  # An independent reader, so that a double swap of the channels cannot hide.
  blue = cv2.imread(str(folder / "00000.png"))[..., 0]
  np.testing.assert_array_equal(blue, FRAMES[0, ..., 2])


# --- folders of images -------------------------------------------------------


def test_folder_is_read_in_natural_order(tmp_path):
  for number in (10, 9, 1, 2, 100):
    media.write_png(tmp_path / f"frame{number}.png", np.full((4, 4), number, np.uint8))
  video = video_io.read_video(tmp_path)
  assert video.frames[:, 0, 0, 0].tolist() == [1, 2, 9, 10, 100]
  assert video.frame_rate == 24
  assert video_io.read_video(tmp_path, folder_frame_rate=30).frame_rate == 30


def test_stray_files_are_passed_over(tmp_path):
  video_io.write_images(tmp_path, FRAMES)
  (tmp_path / "Thumbs.db").write_bytes(b"\0")
  (tmp_path / "notes.txt").write_text("frames of the clip")
  (tmp_path / ".00009.png").write_bytes(b"hidden")
  (tmp_path / "._00000.png").write_bytes(b"macOS")
  (tmp_path / "masks.png").mkdir()
  np.testing.assert_array_equal(video_io.read_video(tmp_path).frames, FRAMES)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".tiff", ".webp"])
def test_lossless_image_kinds(tmp_path, suffix):
  data = cv2.imencode(
    suffix.lower(),
    cv2.cvtColor(FRAMES[0], cv2.COLOR_RGB2BGR),
    [cv2.IMWRITE_WEBP_QUALITY, 101],
  )[1]
  (tmp_path / f"a{suffix}").write_bytes(data.tobytes())
  np.testing.assert_array_equal(video_io.read_video(tmp_path).frames[0], FRAMES[0])


def test_jpeg_grey_and_palette_images_become_rgb(tmp_path):
  media.write_png(tmp_path / "0.jpg", FRAMES[0])
  media.write_png(tmp_path / "1.jpeg", FRAMES[1, ..., 0])
  indices = np.arange(48 * 64).reshape(48, 64) % 4
  media.write_indexed_png(tmp_path / "2.png", indices, media.DAVIS_PALETTE)
  frames = video_io.read_video(tmp_path).frames
  assert mean_error(frames[0], FRAMES[0]) < 3
  assert mean_error(frames[1], FRAMES[1, ..., :1]) < 3
  np.testing.assert_array_equal(frames[2], np.array(media.DAVIS_PALETTE)[indices])


def test_a_jpeg_is_turned_upright(tmp_path):
  # An EXIF block with one entry, orientation 6: turn right by 90 degrees.
  tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x112, 3, 1, 6, 0, 0)
  block = b"Exif\0\0" + tiff
  path = media.write_png(tmp_path / "0.jpg", FRAMES[0])
  plain = video_io.read_video(tmp_path).frames[0]
  data = path.read_bytes()
  marker = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
  path.write_bytes(data[:2] + marker + data[2:])
  np.testing.assert_array_equal(
    video_io.read_video(tmp_path).frames[0], np.rot90(plain, -1)
  )


# --- what cannot be read -----------------------------------------------------


def encode_yuv(path, codec="libx264", **options):
  return media.encode(path, FRAMES, codec=codec, pix_fmt="yuv420p", **options)


def make_missing(folder):
  return folder / "none.mp4"


def make_below_a_file(folder):
  (folder / "file").write_text("x")
  return folder / "file" / "clip.mp4"


def make_long_name(folder):
  return folder / ("x" * 300 + ".mp4")


def make_empty_file(folder):
  (folder / "zero.mp4").touch()
  return folder / "zero.mp4"


def make_text(folder):
  (folder / "text.mp4").write_text("no video at all\n" * 100)
  return folder / "text.mp4"


def make_subtitles(folder):
  (folder / "subs.mp4").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n\n")
  return folder / "subs.mp4"


def make_noise(folder):
  data = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)
  (folder / "noise.mkv").write_bytes(data.tobytes())
  return folder / "noise.mkv"


def make_playlist(folder):
  (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n")
  return folder / "list.mp4"


def make_no_frames(folder, name="none.mkv", codec="ffv1", pix_fmt="bgr0"):
  with av.open(str(folder / name), "w") as container:
    stream = container.add_stream(codec, rate=25)
    stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
    container.start_encoding()
  return folder / name


def make_mp4_without_frames(folder):
  return make_no_frames(folder, "none.mp4", "libx264", "yuv420p")


def make_avi_without_frames(folder):
  return make_no_frames(folder, "none.avi")


def make_sound_only(folder):
  with av.open(str(folder / "sound.mkv"), "w") as container:
    stream = container.add_stream("pcm_s16le", rate=8000)
    sound = av.AudioFrame.from_ndarray(
      np.zeros((1, 1600), np.int16), format="s16", layout="stereo"
    )
    sound.sample_rate = 8000
    container.mux(stream.encode(sound))
    container.mux(stream.encode())
  return folder / "sound.mkv"


def make_song_with_a_cover(folder):
  with av.open(str(folder / "song.mp3"), "w") as container:
    sound = container.add_stream("mp3", rate=44100)
    cover = container.add_stream("mjpeg", rate=1)
    cover.height, cover.width, cover.pix_fmt = 48, 64, "yuvj420p"
    cover.disposition = av.stream.Disposition.attached_pic
    picture = av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")
    container.mux(cover.encode(picture.reformat(format="yuvj420p")))
    container.mux(cover.encode())
    silence = av.AudioFrame.from_ndarray(
      np.zeros((2, 4608), np.int16), format="s16p", layout="stereo"
    )
    silence.sample_rate = 44100
    container.mux(sound.encode(silence))
    container.mux(sound.encode())
  return folder / "song.mp3"


def make_alpha(folder):
  frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)
  return media.encode(
    folder / "alpha.mkv", frames, pix_fmt="bgra", source_format="rgba"
  )


def make_vp9_alpha(folder):
  frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)
  return media.encode(
    folder / "alpha.webm",
    frames,
    codec="libvpx-vp9",
    pix_fmt="yuva420p",
    source_format="rgba",
  )


def make_hdr(folder):
  tags = {"color_trc": 16, "colorspace": 9, "color_primaries": 9}
  return media.encode(folder / "hdr.mkv", FRAMES, pix_fmt="yuv420p10le", tags=tags)


def make_single_image(folder):
  return media.write_png(folder / "one.png", FRAMES[0])


def make_loop(folder):
  (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
  return folder / "loop.mp4"


def make_pipe(folder):
  os.mkfifo(folder / "pipe.mp4")
  return folder / "pipe.mp4"


def make_size_change(folder):
  path = folder / "change.avi"
  codec = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
  first = media.encode(folder / "a.avi", FRAMES, **codec)
  second = media.encode(folder / "b.avi", FRAMES[:, :32], **codec)
  with av.open(str(path), "w") as out, av.open(first) as one, av.open(second) as two:
    stream = out.add_stream_from_template(one.streams.video[0])
    packets = [p for c in (one, two) for p in c.demux(video=0) if p.size]
    for number, packet in enumerate(packets):
      packet.stream, packet.pts, packet.dts = stream, number, number
      out.mux(packet)
  return path


BAD_VIDEOS = {
  make_missing: "No such file",
  make_below_a_file: "Not a directory",
  make_long_name: "too long",
  make_empty_file: "empty .0 bytes",
  make_text: "not a video",
  make_subtitles: "no video stream",
  make_noise: "not a video",
  make_playlist: "cannot be read|no video stream|no frames",
  make_no_frames: "no frames",
  make_mp4_without_frames: "no video stream",
  make_avi_without_frames: "no frames",
  make_sound_only: "no video stream",
  make_song_with_a_cover: "no video stream",
  make_alpha: "alpha channel",
  make_vp9_alpha: "alpha channel",
  make_hdr: "HDR video .PQ.",
  make_single_image: "one image; a video file or a folder",
  make_loop: "symbolic links",
  make_pipe: "neither a file nor a folder",
  make_size_change: "frame size changes from 64x48 to 64x32",
}


def check_line(error, path):
  """Every error is one line that begins with the path."""
  line = str(error.value)
  assert line.startswith(f"{path}"), line
  assert "\n" not in line


@pytest.mark.parametrize("make", BAD_VIDEOS, ids=lambda make: make.__name__)
def test_bad_video_gets_one_clear_line(tmp_path, make, capfd):
  path = make(tmp_path)
  with pytest.raises(InputError, match=BAD_VIDEOS[make]) as error:
    video_io.read_video(path)
  check_line(error, path)
  assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.4, 0.8, 0.99])
@pytest.mark.parametrize(
  "make",
  [
    lambda folder: encode_yuv(folder / "a.mp4"),
    lambda folder: encode_yuv(folder / "a.mp4", movflags="+faststart"),
    lambda folder: encode_yuv(folder / "a.mp4", movflags="+frag_keyframe"),
    lambda folder: encode_yuv(folder / "a.mov"),
    lambda folder: encode_yuv(folder / "a.mkv"),
    lambda folder: encode_yuv(folder / "a.avi", codec="mpeg4"),
    lambda folder: encode_yuv(folder / "a.webm", codec="libvpx-vp9"),
    lambda folder: media.encode(folder / "a.mkv", FRAMES),
    lambda folder: media.encode(folder / "a.avi", FRAMES),
  ],
  ids=[
    "mp4",
    "faststart",
    "fragments",
    "mov",
    "mkv",
    "avi",
    "webm",
    "ffv1-mkv",
    "ffv1-avi",
  ],
)
def test_a_cut_off_video_is_never_a_shorter_clip(tmp_path, make, share):
  path = make(tmp_path)
  assert len(video_io.read_video(path).frames) == len(FRAMES)
  media.cut_off(path, share)
  with pytest.raises(InputError, match=r"cut off|damaged") as error:
    video_io.read_video(path)
  check_line(error, path)


def test_damage_within_a_video_is_an_error(tmp_path):
  path = media.encode(tmp_path / "a.avi", FRAMES, codec="png", pix_fmt="rgb24")
  data = bytearray(path.read_bytes())
  middle = len(data) // 2
  data[middle : middle + 40] = bytes(40)
  path.write_bytes(data)
  with pytest.raises(InputError, match="damaged"):
    video_io.read_video(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_unreadable_paths(tmp_path, name):
  path = tmp_path / name
  if name == "folder":
    video_io.write_images(path, FRAMES)
  else:
    encode_yuv(path)
  path.chmod(0)
  with pytest.raises(InputError, match="Permission denied") as error:
    video_io.read_video(path)
  check_line(error, path)
  path.chmod(0o700)


def png(folder, name, image):
  media.write_png(folder / name, image)


def rgba(alpha):
  return np.dstack([FRAMES[0], np.full(FRAMES.shape[1:3], alpha, np.uint8)])


def see_through_palette(folder):
  indices = np.ones(FRAMES.shape[1:3], np.uint8)
  media.write_indexed_png(
    folder / "7.png", indices, media.DAVIS_PALETTE, transparency=[0, 100]
  )


def cut_image(suffix):
  def make(folder):
    png(folder, f"7{suffix}", FRAMES[0])
    media.cut_off(folder / f"7{suffix}", 0.9)

  return make


def break_png(folder):
  png(folder, "7.png", FRAMES[0])
  data = bytearray((folder / "7.png").read_bytes())
  data[len(data) // 2] ^= 255
  (folder / "7.png").write_bytes(data)


# What stands in a folder beside good frames 0.png and 1.png; the file it is about.
BAD_IMAGES = {
  "other size": (lambda d: png(d, "7.png", FRAMES[0, :40]), "7.png", "64x40.* 64x48"),
  "alpha": (lambda d: png(d, "7.png", rgba(100)), "7.png", "alpha channel"),
  "opaque alpha": (lambda d: png(d, "7.png", rgba(255)), "7.png", "alpha channel"),
  "alpha webp": (lambda d: png(d, "7.webp", rgba(100)), "7.webp", "alpha channel"),
  "alpha palette": (see_through_palette, "7.png", "alpha channel"),
  "16 bits": (
    lambda d: png(d, "7.png", FRAMES[0].astype(np.uint16) * 257),
    "7.png",
    "uint16.* 8 bits",
  ),
  "float": (
    lambda d: png(d, "7.tif", FRAMES[0].astype(np.float32)),
    "7.tif",
    "float32.* 8 bits",
  ),
  "empty file": (lambda d: (d / "7.png").touch(), "7.png", "empty .0 bytes"),
  "text": (lambda d: (d / "7.png").write_text("x" * 99), "7.png", "damaged or not"),
  "cut png": (cut_image(".png"), "7.png", "damaged"),
  "cut jpg": (cut_image(".jpg"), "7.jpg", "damaged"),
  "cut bmp": (cut_image(".bmp"), "7.bmp", "damaged"),
  "cut webp": (cut_image(".webp"), "7.webp", "damaged"),
  "cut tif": (cut_image(".tif"), "7.tif", "damaged"),
  "broken png": (break_png, "7.png", "damaged"),
  "header only": (
    lambda d: (d / "7.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
    "7.png",
    "damaged",
  ),
  "dangling link": (
    lambda d: (d / "7.png").symlink_to(d / "gone.png"),
    "7.png",
    "No such file",
  ),
  "link loop": (
    lambda d: (d / "7.png").symlink_to(d / "7.png"),
    "7.png",
    "symbolic links",
  ),
  "twins": (lambda d: png(d, "1.jpg", FRAMES[0]), "", "both 1.jpg and 1.png"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_image_gets_one_clear_line(tmp_path, case, capfd):
  make, name, words = BAD_IMAGES[case]
  png(tmp_path, "0.png", FRAMES[0])
  png(tmp_path, "1.png", FRAMES[1])
  make(tmp_path)
  with pytest.raises(InputError, match=words) as error:
    video_io.read_video(tmp_path)
  check_line(error, tmp_path / name)
  assert capfd.readouterr() == ("", "")


def test_a_folder_without_images(tmp_path):
  (tmp_path / "clip.mp4").touch()
  (tmp_path / "frames").mkdir()
  with pytest.raises(InputError, match="no images") as error:
    video_io.read_video(tmp_path)
  check_line(error, tmp_path)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indexed_png_gives_its_numbers(tmp_path, bits):
  count = min(2**bits, 200)
  indices = np.random.default_rng(bits).integers(0, count, (13, 21))
  palette = np.random.default_rng(9).integers(0, 256, (count, 3))
  path = media.write_indexed_png(tmp_path / "a.png", indices, palette, bits=bits)
  image = images.read_indexed_png(path)
  assert image is not None
  np.testing.assert_array_equal(image.indices, indices)
  np.testing.assert_array_equal(image.palette[:count], palette)
  assert images.read_indexed_png(media.write_png(path, FRAMES[0])) is None
