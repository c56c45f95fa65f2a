"""Interlaced video keeps its lines and its tag, or a line says why it does not."""

import fractions

import av
import numpy as np
import pytest
from av.codec.context import Flags

from dipvid_jax.media.fields import stated_order
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.folder import RunFolder
from tests.support import media_files

RATE = fractions.Fraction(25)
ORDERS = {"top": (2, "tff=1"), "bottom": (3, "bff=1")}


def woven(height=48):
  """Moving frames, every second line of which is half a frame later."""
  fields = media_files.moving_frames(8, height)
  frames = fields[0::2].copy()
  frames[:, 1::2] = fields[1::2, 1::2]
  return frames


def encode(path, order, height=48):
  """Encodes with x264 alone, without the code under test."""
  with av.open(str(path), "w") as container:
    stream = container.add_stream(
      "libx264", rate=25, options={"crf": "8", "x264-params": ORDERS[order][1]}
    )
    stream.height, stream.width, stream.pix_fmt = height, 64, "yuv420p"
    stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    for number, frame in enumerate(woven(height)):
      picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
      picture = picture.reformat(format="yuv420p")
      picture.pts = number
      container.mux(stream.encode(picture))
    container.mux(stream.encode())
  return path


def order_of(path):
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    frames = list(container.decode(stream))
    return stream.codec_context.field_order, all(f.interlaced_frame for f in frames)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4"])
def test_the_tag_and_the_lines_are_kept(tmp_path, name, order):
  video = read_video(encode(tmp_path / name, order))
  assert video.field_order == order
  (remark,) = video.remarks
  assert f"is interlaced ({order} field first)" in remark and "same tag" in remark
  write_video(
    tmp_path / "out.mp4", video.frames, video.frame_rate, field_order=video.field_order
  )
  assert order_of(tmp_path / "out.mp4") == (ORDERS[order][0], True)
  again = read_video(tmp_path / "out.mp4")
  assert again.field_order == order
  error = np.abs(again.frames.astype(int) - video.frames)
  assert error.mean() < 3
  # Lines that were mixed with their neighbours would differ most.
  assert error[:, 1::2].mean() < 1.2 * error[:, ::2].mean() + 0.5


def test_progressive_video_stays_so(tmp_path):
  write_video(tmp_path / "clip.mp4", media_files.moving_frames(), RATE)
  video = read_video(tmp_path / "clip.mp4")
  assert video.field_order is None and not video.remarks
  assert not order_of(tmp_path / "clip.mp4")[1]


def test_a_run_tags_the_result_and_not_the_networks_frames(tmp_path):
  video = read_video(encode(tmp_path / "clip.mkv", "bottom"))
  folder = RunFolder(tmp_path / "out")
  folder.create({}, resume=False)
  folder.write_frames(video.frames, video.frames[:, ::2, ::2], first=0)
  assert not folder.write_inpainted(video)
  folder.write_full(video)
  assert order_of(folder.path / "inpainted.mp4") == (3, True)
  assert not order_of(folder.path / "full.mp4")[1]


def test_fields_that_are_turned_cannot_be_tagged(tmp_path):
  path = encode(tmp_path / "clip.mp4", "top")
  media_files.display_matrix(path, 0, 1, -1, 0)
  video = read_video(path)
  assert video.field_order is None
  upright, interlaced = video.remarks
  assert "turned upright" in upright
  assert "as progressive, because its frames are turned" in interlaced


def test_a_height_that_h264_cannot_divide_is_told(tmp_path):
  path = tmp_path / "clip.mkv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("mpeg2video", rate=25)
    stream.height, stream.width, stream.pix_fmt = 50, 64, "yuv420p"
    stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    for number, frame in enumerate(woven(50)):
      picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
      picture.pts = number
      container.mux(stream.encode(picture))
    container.mux(stream.encode())
  video = read_video(path)
  assert video.field_order is None
  assert "because its height is no multiple of 4" in video.remarks[0]


def test_write_video_checks_the_height(tmp_path):
  with pytest.raises(ValueError, match="multiple of 4, got 50"):
    write_video(tmp_path / "a.mp4", woven(50), RATE, field_order="top")
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ("number", "interlaced", "order"),
  [
    (0, False, None),
    (1, False, None),
    (0, True, "top"),
    (1, True, "top"),
    (2, False, "top"),
    (3, True, "bottom"),
    (4, True, "top"),
    (5, False, "bottom"),
  ],
)
def test_the_order_of_a_stream(number, interlaced, order):
  assert stated_order(number, interlaced=interlaced) == order
