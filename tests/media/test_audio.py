"""Sound is copied packet by packet, and a failure never costs the picture."""

import av
import numpy as np
import pytest

from dipvid_jax.media import audio
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.types import Timestamps
from tests.support import media_files

FRAMES = media_files.moving_frames(10)


def source_with_sound(folder, name, *, starts=None, **sound):
  times = (
    {"starts": starts, "time_base": media_files.MILLI, "rate": 25} if starts else {}
  )
  clip = media_files.encode(
    folder / f"silent-{name}", FRAMES, codec="libx264", pix_fmt="yuv420p", **times
  )
  return media_files.add_sound(folder / name, clip, **sound)


def result_like(source, folder):
  """A written result, and the line that `add_audio` returns for it."""
  video, out = read_video(source), folder / "out.mp4"
  write_video(out, FRAMES, video.frame_rate, timestamps=video.timestamps)
  return out, audio.add_audio(out, source)


def assert_same_sound(given, kept, *, later=0.0):
  assert [data for _, data in given] == [data for _, data in kept]
  np.testing.assert_allclose(
    [time + later for time, _ in given], [time for time, _ in kept], atol=1e-3
  )


@pytest.mark.parametrize(
  ("name", "sound"),
  [
    ("a.mp4", {"codec": "aac"}),
    ("a.mov", {"codec": "aac"}),
    ("a.mkv", {"codec": "aac", "tracks": 2}),
    ("a.mkv", {"codec": "libmp3lame"}),
    ("a.mkv", {"codec": "libopus"}),
    ("a.mkv", {"codec": "flac"}),
  ],
)
def test_sound_is_copied_packet_by_packet(tmp_path, name, sound):
  source = source_with_sound(tmp_path, name, **sound)
  assert read_video(source).audio == source
  out, left_out = result_like(source, tmp_path)
  assert not left_out
  tracks = media_files.sound_packets(source), media_files.sound_packets(out)
  assert len(tracks[1]) == sound.get("tracks", 1)
  for given, kept in zip(*tracks, strict=True):
    assert len(given) > 5
    assert_same_sound(given, kept)
  assert read_video(out).frames.shape == FRAMES.shape
  assert read_video(out).frame_rate == media_files.NTSC
  data = out.read_bytes()
  assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(("first_frame", "delay"), [(0, 0.5), (500, 0.5), (500, 0)])
def test_sound_keeps_its_time_relative_to_the_first_frame(
  tmp_path, name, first_frame, delay
):
  starts = [
    first_frame + tick for tick in (0, 40, 80, 200, 240, 280, 320, 360, 400, 440)
  ]
  source = source_with_sound(tmp_path, name, starts=starts, delay=delay)
  before = read_video(source).timestamps
  out, left_out = result_like(source, tmp_path)
  assert not left_out
  (given,), (kept,) = media_files.sound_packets(source), media_files.sound_packets(out)
  assert_same_sound(given, kept, later=-first_frame / 1000)
  after = read_video(out).timestamps
  assert isinstance(after, Timestamps)
  assert [t * before.time_base for t in before.ticks] == [
    t * after.time_base for t in after.ticks
  ]


def test_picture_and_sound_alternate_in_the_file(tmp_path):
  """A player need not seek: the sound does not follow the whole picture."""
  source = source_with_sound(tmp_path, "a.mp4")
  out, _ = result_like(source, tmp_path)
  with av.open(str(out)) as container:
    kinds = [p.stream.type for p in sorted(container.demux(), key=lambda p: p.pos or 0)]
  assert "audio" in kinds[: kinds.index("video") + 8]


def test_sound_that_an_mp4_cannot_hold_is_left_out_and_reported(tmp_path):
  source = source_with_sound(tmp_path, "a.mkv", codec="pcm_s16le")
  out, left_out = result_like(source, tmp_path)
  assert left_out.startswith(f"{source}: ") and "pcm_s16le" in left_out
  assert "\n" not in left_out
  assert not media_files.sound_packets(out)


def with_company(folder):
  """An MP4 with a clip, AAC, a cover picture and a track of data."""
  path = folder / "company.mp4"
  with (
    av.open(str(source_with_sound(folder, "a.mp4"))) as given,
    av.open(str(path), "w", format="mp4") as container,
  ):
    cover = container.add_stream("mjpeg", rate=1)
    cover.height, cover.width, cover.pix_fmt = *FRAMES.shape[1:3], "yuvj420p"
    cover.disposition = av.stream.Disposition.attached_pic
    streams = {s: container.add_stream_from_template(s) for s in given.streams}
    data = container.add_data_stream("bin_data")
    container.mux(cover.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
    container.mux(cover.encode())
    for packet in given.demux():
      if packet.size:
        packet.stream = streams[packet.stream]
        container.mux(packet)
    packet = av.Packet(b"position")
    packet.pts = packet.dts = 0
    packet.stream, packet.time_base = data, data.time_base
    container.mux(packet)
  return path


def test_what_is_no_sound_is_left_out_and_named_in_one_line(tmp_path):
  source = with_company(tmp_path)
  out, left_out = result_like(source, tmp_path)
  assert left_out.startswith(f"{source}: left out of the result: ")
  assert "(cover picture)" in left_out and "(data)" in left_out
  assert "sound of" not in left_out and "\n" not in left_out
  (given,), (kept,) = media_files.sound_packets(source), media_files.sound_packets(out)
  assert_same_sound(given, kept)


def test_sound_without_a_decoder_is_left_out_and_the_rest_kept(tmp_path):
  source = source_with_sound(tmp_path, "a.mov", tracks=2)
  media_files.unknown_codec(source)
  assert read_video(source).audio == source
  out, left_out = result_like(source, tmp_path)
  line = "left out of the result: sound of track 3 (its codec is unknown to FFmpeg)"
  assert left_out == f"{source}: {line}"
  assert_same_sound(
    media_files.sound_packets(source)[0], *media_files.sound_packets(out)
  )


def test_nothing_but_sound_without_a_decoder_leaves_a_silent_result(tmp_path):
  source = media_files.unknown_codec(source_with_sound(tmp_path, "a.mov"))
  out, left_out = result_like(source, tmp_path)
  assert "sound of track 2 (its codec is unknown" in left_out
  assert not media_files.sound_packets(out)
  assert read_video(out).frames.shape == FRAMES.shape


def test_a_track_that_cannot_be_copied_costs_no_other(tmp_path, monkeypatch):
  source = source_with_sound(tmp_path, "a.mkv", tracks=2)
  moved = audio._moved

  def without_times(packets, *, by):
    for time, packet in moved(packets, by=by):
      if packet.stream.index == 2 and len(packet.stream.container.streams) == 3:
        raise ValueError("it has no timestamps")
      yield time, packet

  monkeypatch.setattr(audio, "_moved", without_times)
  out, left_out = result_like(source, tmp_path)
  assert left_out.endswith("sound of track 3 (it has no timestamps)")
  assert len(media_files.sound_packets(out)) == 1


def fail(*_, **__):
  raise OSError(28, "No space left on device")


@pytest.mark.parametrize("trouble", ["gone", "damaged", "disk full"])
def test_a_copy_that_fails_leaves_the_silent_result(tmp_path, monkeypatch, trouble):
  source = source_with_sound(tmp_path, "a.mp4")
  video, out = read_video(source), tmp_path / "out.mp4"
  write_video(out, FRAMES, video.frame_rate)
  before = out.read_bytes()
  if trouble == "gone":
    source.unlink()
  elif trouble == "damaged":
    source.write_bytes(b"no video")
  else:
    monkeypatch.setattr(av.container.OutputContainer, "add_stream_from_template", fail)
  left_out = audio.add_audio(out, source)
  assert left_out.startswith(f"{source}: its sound cannot be copied (")
  assert left_out.endswith("the result has none") and "\n" not in left_out
  assert out.read_bytes() == before
  assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["clip.mp4", "folder"])
def test_a_clip_without_sound_has_none(tmp_path, name):
  path = tmp_path / name
  if name == "folder":
    path.mkdir()
    media_files.write_png(path / "0.png", FRAMES[0])
  else:
    write_video(path, FRAMES, media_files.NTSC)
  assert read_video(path).audio is None
