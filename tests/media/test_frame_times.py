"""Frame rates and times, from synthetic ticks and from files."""

import fractions

import numpy as np
import pytest

from dipvid_jax.media.frame_times import frame_times
from dipvid_jax.media.video_reading import read_video
from dipvid_jax.media.video_writing import write_video
from dipvid_jax.types import Timestamps
from tests.support import media_files

F = fractions.Fraction
FRAMES = media_files.moving_frames(6)
MILLI = media_files.MILLI


def rounded(rate, time_base, count=200):
  """The ticks of a constant rate as a container rounds them."""
  return [round(i / (rate * time_base)) for i in range(count)]


@pytest.mark.parametrize(
  ("rate", "time_base"),
  [
    *((F(30000, 1001), base) for base in (MILLI, F(1, 600), F(1, 90000), F(1, 30000))),
    *((F(24000, 1001), base) for base in (MILLI, F(1, 10**9))),
    *((F(60000, 1001), base) for base in (MILLI, F(1, 90000))),
    (F(25), F(1, 25)),
    (F(240), MILLI),
  ],
)
@pytest.mark.parametrize("offset", [0, 1234, -50])
def test_a_constant_rate_is_found_at_any_tick(rate, time_base, offset):
  starts = [tick + offset for tick in rounded(rate, time_base)]
  assert frame_times(
    starts, last_duration=None, time_base=time_base, stated_rate=rate
  ) == (rate, None)


@pytest.mark.parametrize(
  ("starts", "time_base"),
  [
    ([0, 40, 80, 200, 240, 280], MILLI),
    ([7, 8, 9, 11, 12, 13], F(1, 30)),
    ([0, 33, 66, 103, 136, 169], MILLI),  # one frame late by 4 ms
    ([0, 1, 2, 3, 4, 6], F(1, 25)),
  ],
)
@pytest.mark.parametrize("stated", [F(25), F(30), F(1000), None])
def test_variable_times_are_kept_to_the_tick(starts, time_base, stated):
  rate, times = frame_times(
    starts, last_duration=2, time_base=time_base, stated_rate=stated
  )
  assert times.time_base == time_base
  np.testing.assert_array_equal(times.ticks[:-1], np.array(starts) - starts[0])
  assert times.ticks[-1] - times.ticks[-2] == 2
  assert rate == 6 / (int(times.ticks[-1]) * time_base)


@pytest.mark.parametrize("stated", [F(1000), F(24), None])
def test_even_times_overrule_a_wrong_stated_rate(stated):
  starts = [40 * i for i in range(30)]
  assert frame_times(starts, last_duration=1, time_base=MILLI, stated_rate=stated) == (
    25,
    None,
  )


@pytest.mark.parametrize("duration", [None, 0])
def test_an_unknown_last_duration_repeats_the_one_before(duration):
  _, times = frame_times(
    [0, 10, 50], last_duration=duration, time_base=MILLI, stated_rate=F(25)
  )
  assert times.ticks.tolist() == [0, 10, 50, 90]


@pytest.mark.parametrize(
  "starts", [[0, None, 80], [0, 40, 40], [0, 80, 40], [5], [None] * 3]
)
@pytest.mark.parametrize("stated", [F(25), None])
def test_times_that_do_not_rise_are_ignored(starts, stated):
  assert frame_times(starts, last_duration=40, time_base=MILLI, stated_rate=stated) == (
    stated,
    None,
  )
  assert frame_times(
    [0, 1, 5], last_duration=1, time_base=None, stated_rate=stated
  ) == (stated, None)


UNEVEN = [0, 40, 80, 200, 250, 300]


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.mov"])
@pytest.mark.parametrize("offset", [0, 500])
def test_the_times_of_a_file_are_read(tmp_path, name, offset):
  path = media_files.encode(
    tmp_path / name,
    FRAMES,
    codec="libx264",
    pix_fmt="yuv420p",
    starts=[tick + offset for tick in UNEVEN],
    time_base=MILLI,
  )
  video = read_video(path)
  ticks, time_base = video.timestamps
  assert [tick * time_base for tick in ticks[:-1]] == [tick * MILLI for tick in UNEVEN]


@pytest.mark.parametrize(
  "times",
  [
    Timestamps(np.array([*UNEVEN, 777]), MILLI),
    Timestamps(np.array([0, 1, 2, 5, 6, 7, 9]), F(1001, 30000)),
    Timestamps(np.array([0, 3003, 6006, 12012, 15015, 18018, 30030]), F(1, 90000)),
    Timestamps(np.array([0, 33366, 66733, 133333, 166666, 10**7, 10**9]), F(1, 10**6)),
  ],
)
def test_written_times_come_back_to_the_tick(tmp_path, times):
  path = tmp_path / "out.mp4"
  write_video(path, FRAMES, F(25), timestamps=times)
  video = read_video(path)
  assert video.frames.shape == FRAMES.shape
  expected = [int(tick) * times.time_base for tick in times.ticks]
  ticks, time_base = video.timestamps
  assert [int(tick) * time_base for tick in ticks] == expected
  assert video.frame_rate == len(FRAMES) / expected[-1]


def test_times_must_match_the_frames(tmp_path):
  times = Timestamps(np.arange(6), MILLI)
  with pytest.raises(ValueError, match="6 frames need 7 ticks, got 6"):
    write_video(tmp_path / "out.mp4", FRAMES, F(25), timestamps=times)
  assert not list(tmp_path.iterdir())
