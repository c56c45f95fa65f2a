"""What is written is shown as the input is: pixel aspect, turning, colours."""

import fractions

import av
import numpy as np
import pytest

from dipvid_jax.cli import inpaint
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.folder import RunFolder
from tests.support import media_files, untrained

F = fractions.Fraction
FRAMES = media_files.moving_frames(3)
PAL_WIDE = F(64, 45)


def probe(path):
  """The pixel aspect, and the size at which a player shows the file."""
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    aspect = stream.sample_aspect_ratio or F(1)
    return aspect, (stream.height, stream.width * aspect)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
@pytest.mark.parametrize("aspect", [PAL_WIDE, F(10, 11), F(1), F(4, 3)])
def test_pixel_aspect_is_read(tmp_path, name, aspect):
  path = media_files.encode(
    tmp_path / name, FRAMES, codec="libx264", pix_fmt="yuv420p", aspect=aspect
  )
  video = read_video(path)
  assert video.pixel_aspect == aspect
  assert video.frames.shape == FRAMES.shape


def test_pixels_are_square_where_nothing_is_said(tmp_path):
  assert read_video(media_files.encode(tmp_path / "a.avi", FRAMES)).pixel_aspect == 1


@pytest.mark.parametrize("aspect", [PAL_WIDE, F(10, 11), F(1), F(4, 3), F(45, 64)])
def test_pixel_aspect_is_written(tmp_path, aspect):
  path = tmp_path / "out.mp4"
  write_video(path, FRAMES, media_files.NTSC, pixel_aspect=aspect)
  assert probe(path) == (aspect, (48, 64 * aspect))
  assert read_video(path).pixel_aspect == aspect


@pytest.mark.parametrize("aspect", [0, -1])
def test_pixel_aspect_is_positive(tmp_path, aspect):
  with pytest.raises(ValueError, match="pixel_aspect must be positive"):
    write_video(tmp_path / "out.mp4", FRAMES, media_files.NTSC, pixel_aspect=aspect)


TURNS = {
  "quarter turn right": ((0, 1, -1, 0), True),
  "quarter turn left": ((0, -1, 1, 0), True),
  "half turn": ((-1, 0, 0, -1), False),
  "mirrored": ((-1, 0, 0, 1), False),
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_clip_of_oblong_pixels_is_shown_the_same(tmp_path, turn):
  matrix, quarter = TURNS[turn]
  path = tmp_path / "phone.mp4"
  write_video(path, FRAMES, media_files.NTSC, pixel_aspect=PAL_WIDE)
  height, width = probe(path)[1]
  media_files.display_matrix(path, *matrix)
  video = read_video(path)
  assert video.pixel_aspect == (1 / PAL_WIDE if quarter else PAL_WIDE)
  folder = RunFolder(tmp_path / "out")
  folder.create({}, resume=False)
  folder.write_frames(video.frames, video.frames[:, ::2, ::2], first=0)
  assert not folder.write_inpainted(video)
  folder.write_full(video)
  shown = probe(folder.path / "inpainted.mp4")[1]
  # The stored pixels are upright now, so a player shows height : width as before.
  assert shown[0] * (width if not quarter else height) == shown[1] * (
    height if not quarter else width
  )
  assert probe(folder.path / "full.mp4")[0] == video.pixel_aspect


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("height", [48, 720])
def test_colours_survive_reading_and_writing(tmp_path, matrix, full_range, height):
  """From a stream of each kind to our file, which has the usual kind of its height."""
  rgb = 40 + media_files.patches(height=height, width=32) // 2
  red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
  kr, kb = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
  y = kr * red + (1 - kr - kb) * green + kb * blue
  u, v = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
  y, u, v = (
    (y, u + 128, v + 128)
    if full_range
    else (16 + y * 219 / 255, 128 + u * 224 / 255, 128 + v * 224 / 255)
  )
  path = media_files.encode(
    tmp_path / "tagged.mkv",
    np.stack([y, u, v], axis=-1).round().astype(np.uint8)[None],
    pix_fmt="yuv444p",
    source_format="yuv444p",
    tags={"colorspace": matrix, "color_range": 2 if full_range else 1},
  )
  video = read_video(path)
  assert np.abs(video.frames[0].astype(int) - rgb).max() <= 2
  write_video(tmp_path / "out.mp4", video.frames, video.frame_rate)
  back = read_video(tmp_path / "out.mp4").frames[0]
  error = media_files.patch_centres(np.abs(back.astype(int) - rgb))
  assert error.max() <= 6
  assert error.mean() <= 1.5


@pytest.mark.parametrize(
  ("pix_fmt", "bits"),
  [("yuv420p", 8), ("yuv420p10le", 10), ("yuv422p12le", 12), ("gbrp10le", 10)],
)
def test_bit_depth_is_told(tmp_path, pix_fmt, bits):
  path = media_files.encode(tmp_path / "clip.mkv", FRAMES, pix_fmt=pix_fmt)
  assert read_video(path).bit_depth == bits


def test_a_whole_run_is_shown_and_heard_as_its_input(tmp_path, monkeypatch, capfd):
  """A phone's clip: turned, oblong pixels, uneven times, 10 bits, sound."""
  untrained.instead_of_training(monkeypatch)
  uneven, time_base = [0, 40, 80, 200, 250, 300], F(1, 1000)
  clip = media_files.encode(
    tmp_path / "silent.mp4",
    media_files.moving_frames(6),
    codec="libx264",
    pix_fmt="yuv420p10le",
    starts=uneven,
    time_base=time_base,
    aspect=PAL_WIDE,
  )
  phone = media_files.add_sound(tmp_path / "phone.mp4", clip)
  media_files.display_matrix(phone, 0, 1, -1, 0)
  mask = np.zeros((64, 48), np.uint8)  # upright, as the user sees the clip
  mask[10:30, 10:30] = 255
  media_files.write_png(tmp_path / "mask.png", mask)
  code = inpaint.main(
    [
      *(
        "--config",
        "vid.py",
        "--video",
        str(phone),
        "--mask",
        str(tmp_path / "mask.png"),
      ),
      *("--output", str(tmp_path / "out"), "--config.levels=2", "--size=32x24"),
    ]
  )
  assert code == 0
  said = capfd.readouterr()
  for remark in ("10 bits a sample are rounded to 8", "frames are turned upright"):
    assert f"{phone}: " in said.out and remark in said.out
  assert not said.err
  for name, size in (("inpainted.mp4", (64, 48)), ("full.mp4", (32, 24))):
    video = read_video(tmp_path / "out" / name)
    assert video.frames.shape == (6, *size, 3)
    assert video.pixel_aspect == 1 / PAL_WIDE
    times = [int(tick) * video.timestamps.time_base for tick in video.timestamps.ticks]
    assert times[:-1] == [tick * time_base for tick in uneven]
  given, kept = (
    media_files.sound_packets(p) for p in (phone, tmp_path / "out/inpainted.mp4")
  )
  assert given == kept and len(kept[0]) > 5
  assert read_video(tmp_path / "out/full.mp4").audio is None
