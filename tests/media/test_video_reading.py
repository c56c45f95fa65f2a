"""Reading and writing clips, with files of every supported kind."""

import fractions
import gc

import av
import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.media import colours, images, sources, video_reading, video_writing
from tests.support import media_files

FRAMES = media_files.moving_frames()


def mean_error(frames, expected):
  return np.abs(frames.astype(np.float64) - expected).mean()


# --- video files -------------------------------------------------------------


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi"])
def test_ffv1_is_read_exactly(tmp_path, name):
  video = video_reading.read_video(media_files.encode(tmp_path / name, FRAMES))
  np.testing.assert_array_equal(video.frames, FRAMES)
  assert video.frames.dtype == np.uint8
  assert video.frame_rate == media_files.NTSC


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
  path = media_files.encode(tmp_path / name, FRAMES, codec=codec, pix_fmt="yuv420p")
  video = video_reading.read_video(str(path))
  assert video.frames.shape == FRAMES.shape
  assert video.frame_rate == media_files.NTSC
  assert mean_error(video.frames, FRAMES) < 6


def test_iter_frames_agrees_with_read_video(tmp_path):
  path = media_files.encode(tmp_path / "clip.mkv", FRAMES)
  for frame, expected in zip(video_reading.iter_frames(path), FRAMES, strict=True):
    np.testing.assert_array_equal(frame, expected)


def test_decoded_frames_do_not_pile_up(tmp_path):
  path = media_files.encode(tmp_path / "clip.mkv", media_files.moving_frames(20))
  gc.collect()
  gc.disable()
  try:
    frames = video_reading.iter_frames(path)
    assert len([next(frames) for _ in range(20)]) == 20
    held = sum(issubclass(type(x), av.VideoFrame) for x in gc.get_objects())
    assert held < 10
  finally:
    gc.enable()


@pytest.mark.parametrize(
  ("pix_fmt", "tolerance"),
  [("yuv420p10le", 2.0), ("yuv444p16le", 1.0), ("gbrp10le", 0.5)],
)
def test_more_than_eight_bits_are_rounded(tmp_path, pix_fmt, tolerance):
  path = media_files.encode(tmp_path / "clip.mkv", FRAMES, pix_fmt=pix_fmt)
  assert mean_error(video_reading.read_video(path).frames, FRAMES) < tolerance


def test_grey_video_becomes_rgb_of_the_same_values(tmp_path):
  grey = FRAMES[..., 0]
  path = media_files.encode(
    tmp_path / "grey.mkv", grey, pix_fmt="gray", source_format="gray"
  )
  frames = video_reading.read_video(path).frames
  np.testing.assert_array_equal(frames, np.repeat(grey[..., None], 3, axis=3))


def test_progress_counts_the_frames(tmp_path):
  path = media_files.encode(tmp_path / "clip.mkv", FRAMES)
  images.write_images(tmp_path / "frames", FRAMES)
  for source in (path, tmp_path / "frames"):
    counts: list[int] = []
    video_reading.read_video(source, on_progress=counts.append)
    assert sum(counts) == len(FRAMES)


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
    (2, 48, BT601),  # 2: unspecified, so the height decides
    (2, 704, BT601),
    (2, 720, BT709),
  ],
)
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_tags(tmp_path, tag, height, expected, full_range):
  yuv = 40 + media_files.patches(height=height, width=32) // 2
  path = media_files.encode(
    tmp_path / "tagged.mkv",
    yuv[None],
    pix_fmt="yuv444p",
    source_format="yuv444p",
    tags={"colorspace": tag, "color_range": 2 if full_range else 1},
  )
  frames = video_reading.read_video(path).frames
  np.testing.assert_allclose(
    frames[0], yuv_to_rgb(yuv, *expected, full_range), atol=1.01
  )


# Rotations as phones write them: the matrix a, b, c, d in an MP4's track header, and
# the same as a function of NumPy.
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
  video_writing.write_video(path, FRAMES, media_files.NTSC)
  plain = video_reading.read_video(path).frames
  media_files.display_matrix(path, a, b, c, d)
  frames = video_reading.read_video(path).frames
  np.testing.assert_array_equal(frames, [expected(frame) for frame in plain])


@pytest.mark.parametrize(
  "name", ["two words.mp4", "Zürich 映像.mp4", "a:b.mp4", "100%d.mp4", "x\udcff.mp4"]
)
def test_any_file_name_can_be_written_and_read(tmp_path, name):
  folder = tmp_path / "dossier été"
  folder.mkdir()
  video_writing.write_video(folder / name, FRAMES, media_files.NTSC)
  assert len(video_reading.read_video(folder / name).frames) == len(FRAMES)
  assert [path.name for path in folder.iterdir()] == [name]


def test_a_recording_of_open_length_is_not_damaged(tmp_path):
  path = media_files.encode(tmp_path / "live.mkv", FRAMES, live="1")
  assert sources.missing_bytes(path) == 0
  np.testing.assert_array_equal(video_reading.read_video(path).frames, FRAMES)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
def test_bytes_after_the_video_are_not_damage(tmp_path, name):
  codec = {"codec": "mpeg4", "pix_fmt": "yuv420p"} if name == "clip.mp4" else {}
  path = media_files.encode(tmp_path / name, FRAMES, **codec)
  path.write_bytes(path.read_bytes() + b"camera's own data " * 10)
  assert sources.missing_bytes(path) == 0
  assert len(video_reading.read_video(path).frames) == len(FRAMES)


# --- writing -----------------------------------------------------------------


@pytest.mark.parametrize("height", [48, 720])
def test_written_colours_are_read_back(tmp_path, height):
  frames = np.stack([media_files.patches(height=height)] * 3)
  path = tmp_path / "colours.mp4"
  video_writing.write_video(path, frames, fractions.Fraction(25))
  back = video_reading.read_video(path).frames
  error = np.abs(back.astype(int) - frames).max(axis=0)
  assert media_files.patch_centres(error).max() <= 5
  assert media_files.patch_centres(error).mean() <= 1
  with av.open(str(path)) as container:
    context = container.streams.video[0].codec_context
    assert context.colorspace == (1 if height == 720 else 6)
    assert context.color_range == 1


def test_written_video_plays_in_browsers(tmp_path):
  path = tmp_path / "out.mp4"
  video_writing.write_video(path, FRAMES, media_files.NTSC)
  data = path.read_bytes()
  assert data.index(b"moov") < data.index(b"mdat")
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


def test_written_video_is_close_to_its_frames(tmp_path):
  path = tmp_path / "out.mp4"
  video_writing.write_video(path, FRAMES, media_files.NTSC)
  assert mean_error(video_reading.read_video(path).frames, FRAMES) < 3


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(
  "rate", ["1", "24", "24000/1001", "30000/1001", "60", "1000000/33367", "19001/317"]
)
def test_count_and_frame_rate_are_kept_exactly(tmp_path, count, rate):
  frames = media_files.moving_frames(count, 16, 16)
  path = tmp_path / "rate.mp4"
  video_writing.write_video(path, frames, fractions.Fraction(rate))
  video = video_reading.read_video(path)
  assert video.frame_rate == fractions.Fraction(rate)
  assert len(video.frames) == count


def test_frames_may_be_views(tmp_path):
  turned = np.rot90(FRAMES, axes=(1, 2))
  video_writing.write_video(tmp_path / "a.mp4", turned, media_files.NTSC)
  images.write_images(tmp_path / "a", turned)
  assert mean_error(video_reading.read_video(tmp_path / "a.mp4").frames, turned) < 3
  np.testing.assert_array_equal(video_reading.read_video(tmp_path / "a").frames, turned)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "out.mp4"
  path.write_bytes(b"before")
  to_yuv = colours.to_yuv

  done = []

  def fail_at_three(frame, tags):
    if len(done) == 3:
      raise KeyboardInterrupt
    done.append(frame)
    return to_yuv(frame, tags)

  monkeypatch.setattr(colours, "to_yuv", fail_at_three)
  with pytest.raises(KeyboardInterrupt):
    video_writing.write_video(path, FRAMES, media_files.NTSC)
  assert path.read_bytes() == b"before"
  assert list(tmp_path.iterdir()) == [path]


def test_write_video_refuses_odd_sizes(tmp_path):
  with pytest.raises(InputError, match=r"out\.mp4: .*even height and width.* 48x63 "):
    video_writing.write_video(tmp_path / "out.mp4", FRAMES[:, :, :63], media_files.NTSC)
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
    video_writing.write_video(tmp_path / "out.mp4", frames, fractions.Fraction(rate))
  assert not list(tmp_path.iterdir())


def test_write_into_a_missing_folder_is_an_os_error(tmp_path):
  with pytest.raises(OSError, match="No such file"):
    video_writing.write_video(tmp_path / "none" / "out.mp4", FRAMES, media_files.NTSC)


def test_written_images_are_read_back_exactly(tmp_path):
  folder = tmp_path / "deep" / "frames"
  images.write_images(folder, FRAMES)
  names = sorted(path.name for path in folder.iterdir())
  assert names == [f"{number:05d}.png" for number in range(len(FRAMES))]
  video = video_reading.read_video(folder)
  np.testing.assert_array_equal(video.frames, FRAMES)
  # An independent reader, so that a double swap of the channels is noticed.
  blue = cv2.imread(str(folder / "00000.png"))[..., 0]
  np.testing.assert_array_equal(blue, FRAMES[0, ..., 2])
