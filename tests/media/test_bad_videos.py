"""Bad video files get one clear line each and never pass for a shorter clip."""

import os

import av
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, video_reading
from tests.support import media_files

FRAMES = media_files.moving_frames()


def encode_yuv(path, codec="libx264", **options):
  return media_files.encode(path, FRAMES, codec=codec, pix_fmt="yuv420p", **options)


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
    cover.disposition = av.stream.Disposition.attached_pic.value
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
  return media_files.encode(
    folder / "alpha.mkv", frames, pix_fmt="bgra", source_format="rgba"
  )


def make_vp9_alpha(folder):
  frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)
  return media_files.encode(
    folder / "alpha.webm",
    frames,
    codec="libvpx-vp9",
    pix_fmt="yuva420p",
    source_format="rgba",
  )


def make_hdr(folder):
  tags = {"color_trc": 16, "colorspace": 9, "color_primaries": 9}
  return media_files.encode(
    folder / "hdr.mkv", FRAMES, pix_fmt="yuv420p10le", tags=tags
  )


def make_strange_matrix(folder):
  return media_files.encode(
    folder / "strange.mkv",
    FRAMES,
    pix_fmt="yuv444p",
    source_format="yuv444p",
    tags={"colorspace": 8},
  )


def make_unknown_codec(folder):
  path = encode_yuv(folder / "clip.mp4")
  data = path.read_bytes()
  entry = data.index(b"stsd")
  renamed = data[entry:].replace(b"avc1", b"zqx7").replace(b"avcC", b"zqxC")
  path.write_bytes(data[:entry] + renamed)
  return path


def make_single_image(folder):
  return media_files.write_png(folder / "one.png", FRAMES[0])


def make_loop(folder):
  (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
  return folder / "loop.mp4"


def make_pipe(folder):
  os.mkfifo(folder / "pipe.mp4")
  return folder / "pipe.mp4"


def make_size_change(folder):
  path = folder / "change.avi"
  codec = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
  first = media_files.encode(folder / "a.avi", FRAMES, **codec)
  second = media_files.encode(folder / "b.avi", FRAMES[:, :32], **codec)
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
  make_strange_matrix: "colour matrix .YCgCo.; convert it to BT.709",
  make_unknown_codec: "no decoder for codec zqx7; convert the video",
  make_single_image: "one image; a video file or a folder",
  make_loop: "symbolic links",
  make_pipe: "neither a file nor a folder",
  make_size_change: "frame size changes from 48x64 to 32x64",
}


@pytest.mark.parametrize("make", BAD_VIDEOS, ids=lambda make: make.__name__)
def test_bad_video_gets_one_clear_line(tmp_path, make, capfd):
  path = make(tmp_path)
  with pytest.raises(InputError, match=BAD_VIDEOS[make]) as error:
    video_reading.read_video(path)
  media_files.assert_one_line(error, path)
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
    lambda folder: media_files.encode(folder / "a.mkv", FRAMES),
    lambda folder: media_files.encode(folder / "a.avi", FRAMES),
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
def test_a_cut_off_video_never_passes_for_a_shorter_clip(tmp_path, make, share):
  path = make(tmp_path)
  assert len(video_reading.read_video(path).frames) == len(FRAMES)
  media_files.cut_off(path, share)
  with pytest.raises(InputError, match=r"cut off|damaged") as error:
    video_reading.read_video(path)
  media_files.assert_one_line(error, path)


def test_damage_within_a_video_is_an_error(tmp_path):
  path = media_files.encode(tmp_path / "a.avi", FRAMES, codec="png", pix_fmt="rgb24")
  data = bytearray(path.read_bytes())
  middle = len(data) // 2
  data[middle : middle + 40] = bytes(40)
  path.write_bytes(data)
  with pytest.raises(InputError, match="damaged"):
    video_reading.read_video(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_unreadable_paths(tmp_path, name):
  path = tmp_path / name
  if name == "folder":
    images.write_images(path, FRAMES)
  else:
    encode_yuv(path)
  path.chmod(0)
  with pytest.raises(InputError, match="Permission denied") as error:
    video_reading.read_video(path)
  media_files.assert_one_line(error, path)
  path.chmod(0o700)
