"""The tags of colours pass from the input to the result, with the values they mean."""

import fractions

import av
import numpy as np
import pytest

from dipvid_jax.media.colours import written_tags
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.runs.folder import RunFolder
from dipvid_jax.types import Colour
from tests.support import media_files

FRAMES = np.stack([40 + media_files.patches(width=96) // 2] * 2)
RATE = fractions.Fraction(25)
NAMES = ("color_primaries", "color_trc", "colorspace", "color_range")

TAGS = {
  "Display P3, as phones have it": Colour(12, 1, 1, 1),
  "Display P3 with sRGB's curve": Colour(12, 13, 6, 2),
  "BT.2020 SDR": Colour(9, 14, 9, 1),
  "BT.2020 SDR, 12-bit curve": Colour(9, 15, 9, 1),
  "BT.709": Colour(1, 1, 1, 1),
  "full range": Colour(1, 1, 1, 2),
  "PAL": Colour(5, 6, 5, 1),
  "NTSC": Colour(6, 6, 6, 1),
  "FCC": Colour(4, 4, 4, 1),
  "SMPTE 240M": Colour(7, 7, 7, 1),
  "matrix alone": Colour(2, 2, 1, 1),
  "range alone": Colour(2, 2, 2, 1),
  "nothing": Colour(2, 2, 2, 0),
}


def tags(path):
  """The tags of a file's stream and of its first frame, as PyAV has them."""
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    frame = next(container.decode(stream))
    holders = (frame, stream.codec_context)
    return [Colour(*(getattr(holder, n) for n in NAMES)) for holder in holders]


@pytest.mark.parametrize("name", TAGS)
def test_tags_and_values_survive_a_round_trip(tmp_path, name):
  given = TAGS[name]
  first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
  write_video(first, FRAMES, RATE, colour=given)
  assert tags(first) == [given, given]
  video = read_video(first)
  assert video.colour == given and not video.remarks
  write_video(second, video.frames, video.frame_rate, colour=video.colour)
  assert tags(second) == [given, given]
  for path in (first, second):
    error = media_files.patch_centres(
      np.abs(read_video(path).frames[0].astype(int) - FRAMES[0])
    )
    assert error.max() <= 6 and error.mean() <= 2


@pytest.mark.parametrize("name", ["BT.2020 SDR", "Display P3, as phones have it"])
def test_ten_bits_keep_their_tags(tmp_path, name):
  given = TAGS[name]
  said = dict(zip(NAMES, given, strict=True))
  path = media_files.encode(
    tmp_path / "clip.mkv",
    FRAMES,
    codec="libx264",
    pix_fmt="yuv420p10le",
    tags=said,
  )
  video = read_video(path)
  assert video.colour == given
  assert video.remarks == ("10 bits a sample are rounded to 8",)


def test_rgb_is_written_as_conventional_video_with_its_primaries(tmp_path):
  path = media_files.encode(
    tmp_path / "clip.mkv", FRAMES, tags={"color_primaries": 12, "color_trc": 13}
  )
  video = read_video(path)
  assert video.colour == Colour(12, 13, 0, 2)
  write_video(tmp_path / "out.mp4", video.frames, RATE, colour=video.colour)
  assert tags(tmp_path / "out.mp4")[0] == Colour(12, 13, 6, 1)


@pytest.mark.parametrize(
  ("colour", "height", "written"),
  [
    (None, 48, Colour(1, 1, 6, 1)),
    (None, 720, Colour(1, 1, 1, 1)),
    (Colour(matrix=0), 48, Colour(1, 1, 6, 1)),
    (Colour(matrix=0, range=2), 720, Colour(1, 1, 1, 1)),
    (Colour(9, 14, 0, 2), 720, Colour(9, 14, 1, 1)),
    (Colour(), 48, Colour()),
    (Colour(12, 1, 1, 2), 48, Colour(12, 1, 1, 2)),
  ],
)
def test_the_tags_that_are_written(colour, height, written):
  assert written_tags(colour, height) == written


def test_a_jpeg_video_stays_full_range(tmp_path):
  path = media_files.encode(
    tmp_path / "clip.avi", FRAMES, codec="mjpeg", pix_fmt="yuvj420p"
  )
  video = read_video(path)
  assert video.colour.range == 2
  write_video(tmp_path / "out.mp4", video.frames, RATE, colour=video.colour)
  assert tags(tmp_path / "out.mp4")[0] == video.colour


def test_grey_video_of_no_tags_is_shown_the_same(tmp_path):
  grey = FRAMES[..., 0]
  path = media_files.encode(
    tmp_path / "grey.mkv", grey, pix_fmt="gray", source_format="gray"
  )
  video = read_video(path)
  write_video(tmp_path / "out.mp4", video.frames, RATE, colour=video.colour)
  back = read_video(tmp_path / "out.mp4").frames
  assert np.abs(back[0].astype(int) - grey[0][..., None]).mean() < 2


def test_a_runs_videos_have_the_tags_of_the_input(tmp_path):
  write_video(tmp_path / "clip.mp4", FRAMES, RATE, colour=TAGS["full range"])
  video = read_video(tmp_path / "clip.mp4")
  folder = RunFolder(tmp_path / "out")
  folder.create({}, resume=False)
  folder.write_frames(video.frames, video.frames[:, ::2, ::2], first=0)
  assert not folder.write_inpainted(video)
  folder.write_full(video)
  for name in ("inpainted.mp4", "full.mp4"):
    assert tags(folder.path / name)[0] == TAGS["full range"]
